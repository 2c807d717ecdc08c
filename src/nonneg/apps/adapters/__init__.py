"""Our recommender as other libraries' protocols want it: one library a file, imported on demand."""
