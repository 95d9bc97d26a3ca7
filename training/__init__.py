"""How the CNN came to be: simulation, cohorts, fitting, evaluation, bundling."""
