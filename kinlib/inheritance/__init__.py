"""Methods of inheritance: from two parents' W+ codes to a child's."""
