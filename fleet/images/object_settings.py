"""Settings of the store of pictures. The feature that keeps pictures registers them; `objects.connect` reads them."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr


class ObjectSettings(BaseModel):
    """Settings of the store of pictures."""

    objects: str = Field(
        "", description="store of fetched pictures: a folder or s3://bucket/prefix; in the home if empty"
    )
    objects_endpoint: str = Field("", description="address of a server that speaks S3, if it is not Amazon's")
    objects_region: str = Field("us-east-1", min_length=1, description="region of the bucket")
    objects_key_id: SecretStr = Field(SecretStr(""), description="id of the bucket's key; the platform's own if empty")
    objects_secret: SecretStr = Field(SecretStr(""), description="the bucket's key")
    objects_url: str = Field("", description="prefix of the URLs of stored pictures, if a server publishes them")
