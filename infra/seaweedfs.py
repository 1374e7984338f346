"""``python -m infra.seaweedfs WEED FOLDER OPTION...`` becomes SeaweedFS's server, whose parts trust nobody but each other.

Behind the S3 gateway stand a master, a volume and a filer server, which talk gRPC and ask for no credentials: whoever reaches
those ports, a program that a model wrote among them, could read and delete everything. All of them are one process here, so
they get certificates made for this start, and take no call without one (mutual TLS).
"""

import datetime
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PARTS = ("MASTER", "VOLUME", "FILER", "S3", "CLIENT")
VALID_DAYS = 3650


def main(weed: str, folder: Path, options: list[str]) -> None:
    """Make the certificates and exec the server."""
    files = folder / "tls"
    files.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, certificate, key = make_certificates()
    for name, data in (("ca.crt", authority), ("server.crt", certificate), ("server.key", key)):
        (files / name).touch(mode=0o600)
        (files / name).write_bytes(data)
    os.environ["WEED_GRPC_CA"] = str(files / "ca.crt")
    for part in PARTS:
        os.environ[f"WEED_GRPC_{part}_CERT"] = str(files / "server.crt")
        os.environ[f"WEED_GRPC_{part}_KEY"] = str(files / "server.key")
    os.chdir(folder)  # it would read a security.toml of the working directory
    os.execv(weed, [weed, *options])


def make_certificates() -> tuple[bytes, bytes, bytes]:
    """An authority's certificate, one that it has signed, and the key of the second; the authority's own key is forgotten."""
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("r1flow authority", "seaweedfs")]
    signed = []
    for number, (key, name) in enumerate(zip(keys, names, strict=True)):
        builder = (
            x509.CertificateBuilder(names[0], name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
            .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        )
        if number == 1:
            usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("seaweedfs")]), critical=False)
        signed.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_bytes = keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return signed[0], signed[1], key_bytes


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
