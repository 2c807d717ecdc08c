"""What fitted things have to say, as facts that every way out of the library shows alike."""
