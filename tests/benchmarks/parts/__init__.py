"""Parts of a report that go wrong, each in its own way, and one that does not."""
