"""What a person or a script reads about a model: verification, tables."""
