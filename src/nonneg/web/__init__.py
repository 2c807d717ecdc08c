"""The local explorer: pages in the browser over the facts that the command line prints."""
