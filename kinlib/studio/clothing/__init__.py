"""What is worn: clothes, glasses, jewellery, hats."""
