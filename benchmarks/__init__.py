"""Speed claims as commands: each measures minception beside a peer on the same machine, in the same run."""
