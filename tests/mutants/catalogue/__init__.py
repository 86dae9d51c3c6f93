"""All mutants, one file for each family of kernels."""

import importlib
import pkgutil

MUTANTS = [
    mutant
    for module in pkgutil.iter_modules(__path__)
    for mutant in importlib.import_module(f"{__name__}.{module.name}").MUTANTS
]
