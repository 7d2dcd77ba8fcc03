"""Whom the command line trusts."""

from app.cli.client import certificates


def test_certificates_are_read_only_where_there_are_any() -> None:
    nobody = certificates("http://127.0.0.1:8000")
    assert not isinstance(nobody, bool)
    assert nobody.get_ca_certs() == []
    assert nobody.check_hostname, "whoever came in by TLS even so would be refused"
    assert certificates("https://factory.example") is True
    assert certificates("HTTP://factory.example") is True, "what is not known is checked"
