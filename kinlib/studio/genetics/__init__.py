"""Genes of the studio's people: everything that other code needs, under one name.

    architecture = load_architecture()                  # which locus does what
    father, mother = founders("birch", 1, rng), founders("dune", 1, rng)
    siblings = children(father, mother, 1000, rng)      # Genomes
    looks = phenotypes(siblings)                        # arrays; looks.person(0) goes to the renderer
    trait_distribution(father, mother)                  # the theory of the same thousand

Autosomal, diploid, without selection, mutation or interference of crossovers. Sex, age, expression and everything in
`person.Look` and `person.Shot` are not inherited.

| module | holds |
|---|---|
| `genome` | chromosomes, recombination, meiosis |
| `populations` | five invented founder populations |
| `architecture` | loci, effects, heritabilities |
| `individuals` | founders, children, mating |
| `phenotypes` | from genomes to traits |
| `quantitative` | heritability table, theory of a couple's children |
"""

from kinlib.studio.genetics.architecture import TRAITS, Architecture, Trait, load_architecture
from kinlib.studio.genetics.genome import CHROMOSOMES, GeneticMap, meiosis, recombination_fraction
from kinlib.studio.genetics.individuals import Genomes, children, concatenate, founders, mate_pairs
from kinlib.studio.genetics.phenotypes import Phenotypes, breeding_values, phenotypes
from kinlib.studio.genetics.populations import FST, POPULATIONS
from kinlib.studio.genetics.quantitative import TraitDistribution, heritability, trait_distribution

__all__ = ["CHROMOSOMES", "FST", "POPULATIONS", "TRAITS"]
__all__ += ["Architecture", "GeneticMap", "Genomes", "Phenotypes", "Trait", "TraitDistribution"]
__all__ += ["breeding_values", "children", "concatenate", "founders", "heritability", "load_architecture"]
__all__ += ["mate_pairs", "meiosis", "phenotypes", "recombination_fraction", "trait_distribution"]
