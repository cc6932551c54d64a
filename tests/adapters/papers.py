"""Certificates of clients, as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Papers:
    """A client's certificate and key as files, and the authority that issued it."""

    authority: Path
    cert: Path
    key: Path
    both: Path


def papers(folder: Path, name: str) -> Papers:
    authority = trustme.CA()
    issued = authority.issue_cert(f"{name}.example", common_name=name)
    made = Papers(*(folder / f"{name}-{part}.pem" for part in ("ca", "cert", "key", "both")))
    authority.cert_pem.write_to_path(str(made.authority))
    issued.cert_chain_pems[0].write_to_path(str(made.cert))
    issued.private_key_pem.write_to_path(str(made.key))
    issued.private_key_and_cert_chain_pem.write_to_path(str(made.both))
    return made
