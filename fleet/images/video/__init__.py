"""Videos from pictures: a slideshow with captions, encoded in a child process. Needs the extra `fleet[video]`."""
