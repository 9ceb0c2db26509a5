"""A copy of the report with a signature inside the PDF (PAdES), by pyHanko.

pyHanko is an extra of the package (`pip install "sitewise[pades]"`): a signature of the head by
ssh-keygen covers everything, and needs nothing. What this adds is a PDF that a reader's program
shows as signed. The copy begins with the very bytes of the sealed report.
"""

from pathlib import Path
from typing import Any

from sitewise.errors import Problem, RunError


def signed_copy(
    report: Path,
    target: Path,
    certificate: Path,
    passphrase: bytes | None,
    *,
    name: str,
    reason: str,
) -> None:
    """Write a signed copy of `report` to `target`.

    certificate: PKCS #12 file with the signer's key and certificate. passphrase: of that file.
    name, reason: of the signature, as readers' programs show them. Raises RunError where pyHanko is
    not installed, or the file can't sign.
    """
    signers, writer, pades = _pyhanko()
    signer = _load(signers, certificate, passphrase)
    meta = signers.PdfSignatureMetadata(
        field_name="Signature", subfilter=pades, name=name, reason=reason
    )
    with report.open("rb") as read, target.open("xb") as write:
        signers.sign_pdf(writer(read), meta, signer=signer, output=write)


def _load(signers: Any, certificate: Path, passphrase: bytes | None) -> Any:
    signer = signers.SimpleSigner.load_pkcs12(str(certificate), passphrase=passphrase)
    if signer is None:  # pyHanko logs why, and gives nothing
        raise RunError(
            "The report could not be signed.",
            [
                Problem(
                    "the certificate can't be read with this passphrase",
                    where=str(certificate),
                    allowed="a PKCS #12 file (.p12, .pfx) with the signer's private key",
                    fix="name its passphrase with --passphrase-file",
                )
            ],
        )
    return signer


def _pyhanko() -> tuple[Any, Any, Any]:
    """What of pyHanko is needed: signers, the writer of increments, the kind of signature."""
    try:
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.sign import signers
        from pyhanko.sign.fields import SigSeedSubFilter
    except ImportError as error:
        raise RunError(
            "A signed copy of the PDF needs pyHanko.",
            [
                Problem(
                    f"it can't be imported: {error}",
                    allowed="a signature of the head without --certificate, which needs nothing",
                    fix='pip install "sitewise[pades]", or: pip install pyhanko',
                )
            ],
        ) from error
    return signers, IncrementalPdfFileWriter, SigSeedSubFilter.PADES
