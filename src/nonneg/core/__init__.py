"""The mathematics: data, losses, penalties, solvers and the one loop, on numpy and scipy."""
