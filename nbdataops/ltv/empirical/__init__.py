"""Methods that count what happened: cohorts, cells, transitions between states, past rates."""
