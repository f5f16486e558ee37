"""Regression of rated attractiveness: losses and networks of ComboLoss (Xu and Xiang, ICASSP 2020) and its rivals.

A rating says what a group of raters preferred in a set of pictures. No command of kinlib rates the faces of a family.
"""
