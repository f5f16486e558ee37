"""Genetics of the studio's people: diploid genomes, meiosis, founder populations, polygenic and Mendelian traits.

    architecture = load_architecture()                  # which locus does what
    father, mother = founders("birch", 1, rng), founders("dune", 1, rng)
    siblings = children(father, mother, 1000, rng)      # Genomes
    traits = phenotypes(siblings)                       # arrays; traits.person(0) goes to the renderer
    trait_distribution(father, mother)                  # expected mean and covariance of the same children

Autosomal and diploid, without selection, mutation or crossover interference. Sex, age, expression and everything in
`person.Look` and `person.Shot` are not inherited. Open `architecture` first.

| module | holds |
|---|---|
| `genome` | chromosomes, recombination, meiosis |
| `populations` | five synthetic founder populations |
| `architecture` | loci, effects, heritabilities |
| `individuals` | founders, children, mating |
| `phenotypes` | from genomes to traits |
| `quantitative` | heritability table, distribution of a couple's children |
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
