"""Region-level facial genes (Li et al. 2023, "StyleGene"): networks, crossover and mutation, gene pool."""

from kinlib.inheritance.genes.files import load_genes
from kinlib.inheritance.genes.networks import GeneDecoder, GeneEncoder, Genes, GeneSizes

__all__ = ["GeneDecoder", "GeneEncoder", "GeneSizes", "Genes", "load_genes"]
