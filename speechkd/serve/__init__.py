"""Voices over HTTP: an interface like OpenAI's, one of our own, and the page. Needs the extra `serve`."""
