"""Facial attribute editing with semi-supervised spatial attention, on STGAN (the fourth of the course's documents)."""
