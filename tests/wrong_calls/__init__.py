"""Tables of wrong calls: for every public function, what it must refuse, with which error and which words."""
