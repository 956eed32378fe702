"""What checks shapes, dtypes and types of every call into unfreeze while tests run; pytest's options name it."""

from beartype import BeartypeConf, beartype

# As mypy has it: an int goes where a float is wanted.
typechecker = beartype(conf=BeartypeConf(is_pep484_tower=True))
