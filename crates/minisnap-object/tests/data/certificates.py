"""Writes the certificates for `failures::connections`: a key, and certificates for 127.0.0.1 that nobody trusts.

Run it with Python's package `cryptography`. The files are fixed, so that tests need no such package.
"""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder = pathlib.Path(__file__).parent
key = ec.generate_private_key(ec.SECP256R1())
encoding, no_password = serialization.Encoding.DER, serialization.NoEncryption()
(folder / "key.der").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password))
for file, first, last in [
    ("unknown.der", 2020, 2120),
    ("expired.der", 2019, 2020),
    ("future.der", 2119, 2120),
]:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "minisnap tests")])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=datetime.datetime(first, 1, 1),
        not_valid_after=datetime.datetime(last, 1, 1),
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    builder = builder.add_extension(names, critical=False).add_extension(constraints, critical=True)
    (folder / file).write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(encoding))
