"""Kinds of job of this feature, as they are registered in feature.py."""

POST, COMMENT, LIKE, BROWSE = "post", "comment", "like", "browse"
REACT, CONNECT = "react", "connect"
PROVISION, DEPROVISION = "provision", "deprovision"
