"""A signed copy of the PDF, checked by pyHanko itself; what is said where it is absent."""

import datetime
import sys
from pathlib import Path

import pytest

from sitewise.audit.pades import signed_copy
from sitewise.errors import RunError


def pdf(path: Path) -> Path:
    import weasyprint

    weasyprint.HTML(string="<p>A report</p>").write_pdf(str(path))
    return path


def certificate(path: Path) -> Path:
    """A self-signed certificate of Ann with its key, as PKCS #12."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import pkcs12

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ann")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(
            x509.KeyUsage(**{**usage, "digital_signature": True, "content_commitment": True}),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    kind = serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"ann", key, made, None, kind))
    return path


def test_the_copy_is_the_report_and_a_signature_that_holds(tmp_path: Path) -> None:
    pytest.importorskip("pyhanko", reason="the extra `pades` is not installed")
    from pyhanko.pdf_utils.reader import PdfFileReader
    from pyhanko.sign.validation import validate_pdf_signature
    from pyhanko_certvalidator import ValidationContext

    report, copy = pdf(tmp_path / "report.pdf"), tmp_path / "copy.pdf"
    ann = certificate(tmp_path / "ann.p12")
    with pytest.raises(RunError, match="with this passphrase"):
        signed_copy(report, copy, ann, b"wrong", name="ann", reason="approver")
    assert not copy.exists()
    signed_copy(report, copy, ann, b"secret", name="ann", reason="approver; head 12ab")
    assert copy.read_bytes().startswith(report.read_bytes())

    def status(path: Path) -> tuple[bool, bool, str]:
        with path.open("rb") as handle:
            [signature] = PdfFileReader(handle).embedded_signatures
            context = ValidationContext(trust_roots=[signature.signer_cert], allow_fetching=False)
            found = validate_pdf_signature(signature, context)
            return found.intact, found.valid, str(signature.sig_object["/Reason"])

    assert status(copy) == (True, True, "approver; head 12ab")
    altered = tmp_path / "altered.pdf"
    content = bytearray(copy.read_bytes())
    content[len(report.read_bytes()) // 2] ^= 1
    altered.write_bytes(content)
    assert not status(altered)[0]


def test_without_pyhanko_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyhanko.sign", None)
    with pytest.raises(RunError, match="needs pyHanko") as told:
        signed_copy(tmp_path, tmp_path, tmp_path, None, name="ann", reason="author")
    assert "pip install" in str(told.value)
