"""Certificates of a cluster, and what TLS refuses."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from loopback_cluster import a_node, a_scheduler, certificates, until

from engine.config.settings import ClusterSettings
from engine.domain.errors import UserError
from engine.execution.cluster.channel import ChannelError
from engine.execution.cluster.connection import channel_of
from engine.execution.cluster.dask.certificates import Certificates, make_certificates
from engine.execution.cluster.dask.channel import DaskChannel
from engine.execution.cluster.dask.tls import TlsFiles, checked_address, outgoing, tls_problem


async def echo(data: bytes) -> bytes:
    return data


def names_of(path: Path) -> tuple[str, set[str]]:
    """Return the common name of a certificate, and its alternative names."""
    found = x509.load_pem_x509_certificate(path.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    common = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    return str(common), {str(name.value) for name in names}


def test_one_ca_and_one_certificate_for_each_role(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = make_certificates(tmp_path / "certs", ["n1", "n2"], days=3)
    finally:
        os.umask(old)
    stems = ["scheduler", "client", "node-n1", "node-n2"]
    assert [one.certificate.stem for one in made] == stems
    assert stat.S_IMODE((tmp_path / "certs").stat().st_mode) == 0o700
    for path in (tmp_path / "certs").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    files = Certificates(tmp_path / "certs")
    assert names_of(files.of("n1").certificate) == ("n1", {"swarm-tui:node:n1", "n1"})
    assert names_of(files.of("client").certificate)[1] >= {"swarm-tui:client"}
    leaf = x509.load_pem_x509_certificate(files.of("n1").certificate.read_bytes())
    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    leaf.verify_directly_issued_by(ca)
    assert leaf.not_valid_after_utc - datetime.now(UTC) < timedelta(days=3, minutes=5)


def test_nothing_is_overwritten_and_a_node_can_be_added(tmp_path: Path) -> None:
    make_certificates(tmp_path, ["n1"])
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError) as caught:
        make_certificates(tmp_path, ["n2", "n1"])
    assert caught.value.code == "CERTIFICATE_EXISTS"
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert [one.certificate.name for one in make_certificates(tmp_path, ["n2"])] == ["node-n2.pem"]
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.iterdir()}.items()


def test_damaged_ca_is_refused_without_a_trace_of_its_key(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    other = tmp_path / "other"
    make_certificates(other)
    key = (tmp_path / "ca.key").read_text()
    for damage in (b"", b"nonsense", (other / "ca.key").read_bytes()):
        (tmp_path / "ca.key").write_bytes(damage)
        with pytest.raises(UserError) as caught:
            make_certificates(tmp_path, ["n1"])
        assert caught.value.code == "CERTIFICATE_INVALID"
        assert key.splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize("name", ["", "local", "any", "scheduler", "../n1", "a b", "n" * 64, "-n"])
def test_name_that_no_node_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as caught:
        make_certificates(tmp_path / "certs", [name])
    assert caught.value.code == "INPUT_INVALID"
    assert not (tmp_path / "certs").exists()


def test_link_in_the_place_of_a_key_is_not_followed(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    victim = tmp_path / "victim"
    (tmp_path / "node-n1.key").symlink_to(victim)
    with pytest.raises(UserError):
        make_certificates(tmp_path, ["n1"])
    assert not victim.exists()


def test_addresses_without_tls_are_refused_unless_they_are_on_this_machine(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    files = Certificates(tmp_path).of("client")
    assert checked_address("tcp://127.0.0.1:9", None) == "tcp://127.0.0.1:9"
    assert checked_address("tcp://[::1]:9", None) == "tcp://[::1]:9"
    assert checked_address("localhost", None) == "tcp://localhost:8786"
    assert checked_address("192.0.2.7", files) == "tls://192.0.2.7:8786"
    for address, known, code in (
        ("tcp://192.0.2.7:9", None, "CLUSTER_INSECURE"),
        ("tcp://0.0.0.0:9", None, "CLUSTER_INSECURE"),
        ("tcp://127.0.0.1.example.org", None, "CLUSTER_INSECURE"),
        ("tcp://127.0.0.1:9", files, "CLUSTER_INSECURE"),
        ("tls://192.0.2.7:9", None, "CERTIFICATE_INVALID"),
        ("inproc://x", None, "CONFIG_INVALID"),
        ("tls://", files, "CONFIG_INVALID"),
        ("tls://user@host:1", files, "CONFIG_INVALID"),
        ("tls://host:99999", files, "CONFIG_INVALID"),
        ("tls://host/path", files, "CONFIG_INVALID"),
    ):
        with pytest.raises(UserError) as caught:
            checked_address(address, known)
        assert caught.value.code == code, address


def test_settings_without_a_usable_cluster_are_explained(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    files = Certificates(tmp_path).of("client")
    ca, certificate, key = str(files.ca), str(files.certificate), str(files.key)
    assert channel_of(ClusterSettings("tls://127.0.0.1", ca, certificate, key))
    missing = str(tmp_path / "missing.pem")
    for settings, code in (
        (ClusterSettings(), "CLUSTER_NOT_SET"),
        (ClusterSettings("tcp://192.0.2.7"), "CLUSTER_INSECURE"),
        (ClusterSettings("tls://127.0.0.1", ca), "CERTIFICATE_INVALID"),
        (
            ClusterSettings("tls://127.0.0.1", missing, certificate, key),
            "CERTIFICATE_INVALID",
        ),
        (
            ClusterSettings(
                "tls://127.0.0.1", str(files.ca), str(files.certificate), str(files.ca)
            ),
            "CERTIFICATE_INVALID",
        ),
    ):
        with pytest.raises(UserError) as caught:
            channel_of(settings)
        assert caught.value.code == code


async def failure_of(address: str, files: TlsFiles | None) -> str:
    channel = DaskChannel(address, files)
    try:
        with pytest.raises(ChannelError) as caught:
            await channel.call("n1", b"", 8)
        return str(caught.value)
    finally:
        await channel.close()


async def test_strangers_are_refused_with_a_clear_message(tmp_path: Path) -> None:
    made = await certificates(tmp_path / "made", "n1", days=1)
    other = await certificates(tmp_path / "other", "n1", days=1)
    old = TlsFiles(made.ca, *_expired(made))
    async with (
        a_scheduler(tmp_path / "s", made.of("scheduler")) as address,
        a_scheduler(tmp_path / "p") as plain,
        a_node(tmp_path / "n1", address, "n1", echo, files=made.of("n1")) as node,
    ):
        await node.joined()
        # The client's CA does not know the scheduler; the scheduler's does not know the client.
        assert "from another CA" in await failure_of(address, other.of("client"))
        mixed = TlsFiles(made.ca, other.of("client").certificate, other.of("client").key)
        assert "refused this certificate" in await failure_of(address, mixed)
        assert "it has expired" in await failure_of(address, old)
        text = await failure_of(address.replace("tls://", "tcp://"), None)
        assert "it may demand TLS" in text
        text = await failure_of(plain.replace("tcp://", "tls://"), made.of("client"))
        assert "does not use TLS" in text
        # A certificate of the cluster does nothing beyond its role.
        assert "needs swarm-tui:client" in await failure_of(address, made.of("n1"))
        channel = DaskChannel(address, made.of("client"))
        assert await channel.call("n1", b"still here", 8) == b"still here"
        await channel.close()


async def test_node_takes_the_name_and_the_messages_of_no_other(tmp_path: Path) -> None:
    made = await certificates(tmp_path / "made", "n1", "n2")
    async with (
        a_scheduler(tmp_path / "s", made.of("scheduler")) as address,
        a_node(tmp_path / "n1", address, "n1", echo, files=made.of("n1")) as node,
        a_node(tmp_path / "n2", address, "n3", echo, files=made.of("n2")) as wrong,
    ):
        await node.joined()
        await until(lambda: bool(wrong.reports.problems))
        assert "this needs swarm-tui:node:n3" in wrong.reports.problems[0]
        assert not wrong.reports.has_joined.is_set()
        # A client that knows where a node listens cannot go around the scheduler.
        direct = node.membership._member.address  # pyright: ignore[reportPrivateUsage]  only it knows where
        text = await failure_of(direct, made.of("client"))
        assert "its certificate is for swarm-tui:node:n1" in text


def _expired(files: Certificates) -> tuple[Path, Path]:
    """Make a client's certificate that was valid until yesterday."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    client = files.of("client")
    template = x509.load_pem_x509_certificate(client.certificate.read_bytes())
    key = load_pem_private_key(files.ca_key.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(template.subject)
        .issuer_name(template.issuer)
        .public_key(template.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=2))
        .not_valid_after(datetime.now(UTC) - timedelta(days=1))
    )
    for extension in template.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    path = files.folder / "expired.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(_pem()))
    return path, client.key


def _pem():
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def test_contexts_speak_tls_1_3_and_demand_a_certificate(tmp_path: Path) -> None:
    import ssl

    make_certificates(tmp_path)
    context = outgoing(Certificates(tmp_path).of("client"))["ssl_context"]
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_certificates_are_valid_on_machines_whose_clocks_are_behind(tmp_path: Path) -> None:
    make_certificates(tmp_path / "c", ["n1"], 1)
    for path in (tmp_path / "c").glob("*.pem"):
        begin = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_before_utc
        assert begin < datetime.now(UTC) - timedelta(hours=12)
    error = OSError("[SSL] certificate verify failed: certificate is not yet valid")
    assert tls_problem(error).endswith("is not valid yet by the clock here")


def test_end_of_a_connection_during_the_handshake_is_explained() -> None:
    # A client of TLS 1.3 may see the end of the connection before the refusal that was sent.
    error = OSError("SSLEOFError: EOF occurred in violation of protocol (_ssl.c:2427)")
    assert "refuses this certificate" in tls_problem(error)
