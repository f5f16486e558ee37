"""How good are pictures, networks and methods, each against what is known to be true?"""
