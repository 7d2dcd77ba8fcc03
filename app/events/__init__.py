"""Events on the wire: what is taken for one, what makes two the same, and who has signed it."""
