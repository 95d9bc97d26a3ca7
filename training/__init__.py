"""How the CNN came to be: simulation, cohorts, fitting, evaluation, bundling."""

import inference  # noqa: F401 - keeps the libraries of training from calling home, too
