"""Files that must not open: each a mistake or an attack, made from a good file."""
