"""The AWS KMS key service, over HTTP, against moto's server."""

import base64
import datetime
import json
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_ml.keys import aws_kms
from secure_ml.keys.aws_kms import AwsKmsKeyService
from secure_ml.keys.errors import KeyDestroyed, KeyNotFound, KeyRefused, KeyServiceError, KeyServiceUnavailable
from secure_ml.keys.remote import Patience
from secure_ml.keys.service import KeyService
from secure_ml_tests.docs.pages import ROOT, blocks
from secure_ml_tests.fakes.kms_server import REGION, KmsServer
from secure_ml_tests.fakes.loopback_server import Application, LoopbackServer, dropped, hanging, status, truncated
from secure_ml_tests.keys.contract import CONTEXT, KEY, KeyServiceContract

ACCESS_KEY_ID, SECRET_ACCESS_KEY = "AKIATRIAL", "of the trial"
ALIAS = "alias/secure-ml"
URI = f"awskms:{ALIAS}"
TWICE, HASTY = Patience(attempts=2), Patience(read_seconds=1, attempts=2)
USE, ROTATE = (
    json.loads("\n".join(block.lines))
    for block in blocks(ROOT / "docs" / "key-services.md")
    if block.kind == "text" and block.lines[0] == "{"
)
"""The policies that the page says are the least."""


@pytest.fixture
def kms() -> KmsServer:
    return KmsServer(access_key_id=ACCESS_KEY_ID)


@pytest.fixture
def server(kms: KmsServer) -> Iterator[LoopbackServer]:
    with LoopbackServer(kms) as server:
        yield server


@pytest.fixture
def environ(server: LoopbackServer) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_KMS": server.url,
    }


@pytest.fixture
def service(environ: dict[str, str]) -> AwsKmsKeyService:
    return AwsKmsKeyService.from_uri(URI, environ=environ, create=True, patience=TWICE)


class TestAwsKms(KeyServiceContract):
    """The contract."""

    @pytest.fixture
    def service(self, environ: dict[str, str]) -> KeyService:
        return AwsKmsKeyService.from_uri(URI, environ=environ, create=True)

    @pytest.fixture
    def reopen(self, service: KeyService, environ: dict[str, str]) -> Callable[[], KeyService]:
        return lambda: AwsKmsKeyService.from_uri(URI, environ=environ, create=False)

    @pytest.fixture
    def other(self, environ: dict[str, str]) -> KeyService:
        return AwsKmsKeyService.from_uri("awskms:alias/another", environ=environ, create=True)


def make_key(service: AwsKmsKeyService, *, alias: str | None = None, tag: str | None = None, **said: Any) -> str:
    """What an administrator does behind the service's back; returns the ARN."""
    tags = [{"TagKey": aws_kms.TAG, "TagValue": tag}] if tag else []
    said = {"KeyUsage": "ENCRYPT_DECRYPT", "Tags": tags, **said}
    arn: str = service._client.create_key(**said)["KeyMetadata"]["Arn"]
    if alias:
        service._client.create_alias(AliasName=alias, TargetKeyId=arn)
    return arn


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


# Opening


def test_a_missing_key_is_not_made_unless_asked(environ: dict[str, str], kms: KmsServer) -> None:
    with pytest.raises(KeyNotFound, match="has no alias/secure-ml"):
        AwsKmsKeyService.from_uri(URI, environ=environ, create=False)
    made = AwsKmsKeyService.from_uri(URI, environ=environ, create=True)
    assert AwsKmsKeyService.from_uri(URI, environ=environ, create=True).key_id == made.key_id
    assert [f"awskms:{key.arn}" for key in kms.keys] == [made.key_id]


def test_an_alias_is_taken_by_its_arn(service: AwsKmsKeyService, environ: dict[str, str]) -> None:
    del environ["AWS_REGION"]
    uri = f"awskms:arn:aws:kms:{REGION}:123456789012:{ALIAS}"
    by_arn = AwsKmsKeyService.from_uri(uri, environ=environ, create=False)
    wrapped = service.wrap(KEY, context=CONTEXT)
    assert by_arn.rotate() == service.key_id
    assert by_arn.unwrap(wrapped, context=CONTEXT) == KEY


@pytest.mark.parametrize("by", ["id", "ARN"])
def test_a_key_by_itself_wraps_and_is_one_version_for_ever(
    by: str, service: AwsKmsKeyService, environ: dict[str, str]
) -> None:
    arn = make_key(service)
    uri = f"awskms:{arn if by == 'ARN' else arn.rpartition('/')[2]}"
    alone = AwsKmsKeyService.from_uri(uri, environ=environ, create=True)
    assert alone.key_id == f"awskms:{arn}"
    assert alone.unwrap(alone.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY
    with pytest.raises(KeyServiceError, match="name an alias"):
        alone.rotate()
    with pytest.raises(KeyRefused, match="no version"):
        alone.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT)


def test_a_key_that_is_missing_by_its_id_is_never_made(environ: dict[str, str], kms: KmsServer) -> None:
    with pytest.raises(KeyNotFound):
        AwsKmsKeyService.from_uri("awskms:1234abcd-12ab-34cd-56ef-1234567890ab", environ=environ, create=True)
    assert kms.keys == []


@pytest.mark.parametrize(
    "said",
    [
        {"KeySpec": "RSA_2048"},
        {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ],
    ids=str,
)
def test_a_key_that_is_unfit_is_refused(
    said: dict[str, str], service: AwsKmsKeyService, environ: dict[str, str]
) -> None:
    make_key(service, alias="alias/unfit", tag="alias/unfit", **said)
    with pytest.raises(KeyServiceError, match="not fit for a root key"):
        AwsKmsKeyService.from_uri("awskms:alias/unfit", environ=environ, create=True)


def test_a_key_that_aws_manages_is_refused(environ: dict[str, str], service: AwsKmsKeyService, kms: KmsServer) -> None:
    kms.key(ALIAS).key_manager = "AWS"
    with pytest.raises(KeyServiceError, match="managed by you"):
        AwsKmsKeyService.from_uri(URI, environ=environ, create=False)


def test_a_key_without_the_tag_is_refused_with_what_to_do(service: AwsKmsKeyService, environ: dict[str, str]) -> None:
    make_key(service, alias="alias/bare")
    with pytest.raises(KeyServiceError, match="tag it secure_ml:root=alias/bare"):
        AwsKmsKeyService.from_uri("awskms:alias/bare", environ=environ, create=True)


@pytest.mark.parametrize(
    "uri",
    [
        "awskms:alias/",
        "awskms:alias/a b",
        "awskms:alias/a?region=eu-central-1&secret=x",
        "awskms:arn:aws:kms:eu-central-1:123456789012:alias/a?region=eu-west-1",
        "awskms:arn:aws:s3:::alias/a",
        "awskms:alias/a?region=evil.example/",
        "awskms:alias/a?endpoint=http://kms.bank.example",
        "awskms:../a",
    ],
)
def test_a_uri_that_names_no_key_is_refused_without_asking(
    uri: str, environ: dict[str, str], server: LoopbackServer
) -> None:
    with pytest.raises(KeyServiceError):
        AwsKmsKeyService.from_uri(uri, environ=environ, create=True)
    assert server.seen == []


def test_without_a_region_it_says_what_to_set(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    del environ["AWS_REGION"]
    with pytest.raises(KeyServiceError, match="AWS_REGION"):
        AwsKmsKeyService.from_uri(URI, environ=environ, create=True)
    AwsKmsKeyService.from_uri(f"{URI}?region={REGION}", environ=environ, create=True)


def test_the_endpoint_may_stand_in_the_uri(environ: dict[str, str], server: LoopbackServer) -> None:
    environ["AWS_ENDPOINT_URL_KMS"] = "http://127.0.0.1:1"
    AwsKmsKeyService.from_uri(f"{URI}?endpoint={server.url}", environ=environ, create=True)


def test_an_authority_that_is_not_there_is_said(environ: dict[str, str]) -> None:
    with pytest.raises(KeyServiceError, match="AWS_CA_BUNDLE names no file"):
        AwsKmsKeyService.from_uri(URI, environ={**environ, "AWS_CA_BUNDLE": "/nowhere.pem"}, create=True)


# Credentials and policies


def without_credentials(environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if "ACCESS_KEY" not in name}


def test_without_credentials_it_says_what_to_set_and_asks_nobody(
    environ: dict[str, str], server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where botocore would look of itself: the process, a program of the configuration, a machine's metadata service.
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = /bin/echo {ACCESS_KEY_ID}\n")
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(config),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
        "AWS_DEFAULTS_MODE": "auto",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    with pytest.raises(KeyServiceError, match="no usable credentials"):
        AwsKmsKeyService.from_uri(URI, environ=without_credentials(environ), create=True)
    assert server.seen == []


def test_the_configuration_of_other_programs_is_not_read(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default\nnothing that can be parsed")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    AwsKmsKeyService.from_uri(URI, environ=environ, create=True)


def test_credentials_may_stand_in_a_file(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[kernel]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n")
    named = {**without_credentials(environ), "AWS_SHARED_CREDENTIALS_FILE": str(file)}
    with pytest.raises(KeyServiceError, match="no usable credentials"):
        AwsKmsKeyService.from_uri(URI, environ=named, create=True)
    AwsKmsKeyService.from_uri(URI, environ={**named, "AWS_PROFILE": "kernel"}, create=True)


def test_a_platform_may_give_a_container_its_credentials(environ: dict[str, str]) -> None:
    given = {
        "AccessKeyId": ACCESS_KEY_ID,
        "SecretAccessKey": SECRET_ACCESS_KEY,
        "Token": "session",
        "Expiration": (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat(),
    }
    with LoopbackServer(status(200, json.dumps(given).encode())) as platform:
        named = {
            **without_credentials(environ),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{platform.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "of the container",
        }
        AwsKmsKeyService.from_uri(URI, environ=named, create=True)
    ((_, path, headers),) = platform.seen
    assert (path, headers["AUTHORIZATION"]) == ("/credentials", "of the container")


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "ExpiredTokenException", "InvalidSignatureException"])
def test_credentials_that_are_not_accepted_are_said_and_not_tried_again(
    code: str, service: AwsKmsKeyService, server: LoopbackServer
) -> None:
    server.fault, before = refusing(code), len(server.seen)
    with pytest.raises(KeyServiceError, match="wrong or expired") as refused:
        _ = service.key_id
    assert not isinstance(refused.value, KeyServiceUnavailable)
    assert len(server.seen) - before == 1


def test_wrong_credentials_are_refused(environ: dict[str, str]) -> None:
    environ["AWS_ACCESS_KEY_ID"] = "AKIAWRONG"
    with pytest.raises(KeyServiceError, match="wrong or expired"):
        AwsKmsKeyService.from_uri(URI, environ=environ, create=True)


def test_the_policy_of_the_page_suffices_to_wrap_and_for_nothing_else(
    service: AwsKmsKeyService, environ: dict[str, str], kms: KmsServer
) -> None:
    kms.policies["AKIAUSES"] = USE
    environ["AWS_ACCESS_KEY_ID"] = "AKIAUSES"
    user = AwsKmsKeyService.from_uri(URI, environ=environ, create=False)
    old_id, old = user.key_id, user.wrap(KEY, context=CONTEXT)
    with pytest.raises(KeyServiceError, match="kms:GetKeyPolicy"):
        user.rotate()
    service.rotate()
    assert user.unwrap(old, context=CONTEXT) == user.unwrap(user.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY
    with pytest.raises(KeyServiceError, match="kms:ScheduleKeyDeletion"):
        user.retire(old_id)
    with pytest.raises(KeyServiceError, match="kms:CreateKey"):
        AwsKmsKeyService.from_uri("awskms:alias/another", environ=environ, create=True)
    make_key(service, alias="alias/another", tag="alias/another")
    with pytest.raises(KeyServiceError, match="kms:DescribeKey"):
        AwsKmsKeyService.from_uri("awskms:alias/another", environ=environ, create=False)


def test_the_policies_of_the_page_suffice_to_rotate_and_retire(
    service: AwsKmsKeyService, environ: dict[str, str], kms: KmsServer
) -> None:
    kms.policies["AKIAROTATES"] = {"Statement": [*USE["Statement"], *ROTATE["Statement"]]}
    environ["AWS_ACCESS_KEY_ID"] = "AKIAROTATES"
    officer = AwsKmsKeyService.from_uri(URI, environ=environ, create=False)
    old_id = officer.key_id
    officer.rotate()
    officer.retire(old_id)
    assert service.unwrap(officer.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY
    stranger = make_key(service)
    for refused in (
        lambda: officer._client.schedule_key_deletion(KeyId=stranger),
        lambda: officer._client.create_alias(AliasName="alias/theirs", TargetKeyId=stranger),
        lambda: officer._client.update_alias(AliasName=ALIAS, TargetKeyId=stranger),
        lambda: officer._client.create_key(),
    ):
        with pytest.raises(officer._client.exceptions.ClientError, match="AccessDenied"):
            refused()


def test_a_condition_on_the_context_narrows_what_is_unwrapped(
    service: AwsKmsKeyService, environ: dict[str, str], kms: KmsServer
) -> None:
    describe = {"Effect": "Allow", "Action": ["kms:DescribeKey", "kms:ListResourceTags"], "Resource": "*"}
    training = {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringLike": {"kms:EncryptionContext:secure_ml": "v1/training/*"}},
    }
    kms.policies["AKIATRAINING"] = {"Statement": [describe, training]}
    trainer = AwsKmsKeyService.from_uri(URI, environ={**environ, "AWS_ACCESS_KEY_ID": "AKIATRAINING"}, create=False)
    assert trainer.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY
    production = CONTEXT.replace(b"training", b"production")
    with pytest.raises(KeyServiceError, match="kms:Decrypt"):
        trainer.unwrap(service.wrap(KEY, context=production), context=production)


# Versions


def test_a_new_version_has_the_policy_and_the_tags_of_the_old_one(service: AwsKmsKeyService, kms: KmsServer) -> None:
    old = kms.key(ALIAS)
    policy = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}],
        }
    )
    service._client.put_key_policy(KeyId=old.arn, PolicyName="default", Policy=policy)
    service._client.tag_resource(KeyId=old.arn, Tags=[{"TagKey": "cost", "TagValue": "risk"}])
    service.rotate()
    new = kms.key(ALIAS)
    assert new.arn != old.arn
    assert new.policy == policy
    tags = service._client.list_resource_tags(KeyId=new.arn)["Tags"]
    assert {tag["TagKey"]: tag["TagValue"] for tag in tags} == {aws_kms.TAG: ALIAS, "cost": "risk"}


@pytest.mark.parametrize(("field", "value"), [("origin", "EXTERNAL"), ("multi_region", True)])
def test_a_key_that_cannot_be_made_alike_is_not_rotated(
    field: str, value: object, service: AwsKmsKeyService, kms: KmsServer
) -> None:
    key = kms.key(ALIAS)
    key.multi_region_configuration = {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": key.arn},
        "ReplicaKeys": [],
    }
    setattr(key, field, value)
    with pytest.raises(KeyServiceError, match="tag it secure_ml:root=alias/secure-ml and move the alias"):
        service.rotate()
    assert len(kms.keys) == 1


def test_an_administrators_rotation_is_followed(service: AwsKmsKeyService) -> None:
    old_id, old = service.key_id, service.wrap(KEY, context=CONTEXT)
    arn = make_key(service, tag=ALIAS)
    service._client.update_alias(AliasName=ALIAS, TargetKeyId=arn)
    new = service.wrap(KEY, context=CONTEXT)
    assert [service.wrapped_by(wrapped) for wrapped in (old, new)] == [old_id, f"awskms:{arn}"]
    assert service.unwrap(old, context=CONTEXT) == service.unwrap(new, context=CONTEXT) == KEY


def test_a_rotation_killed_half_way_leaves_the_old_version(
    service: AwsKmsKeyService, server: LoopbackServer, kms: KmsServer
) -> None:
    old_id, wrapped = service.key_id, service.wrap(KEY, context=CONTEXT)
    until_the_alias = 5
    server.faults = [kms] * until_the_alias + [dropped] * TWICE.attempts
    with pytest.raises(KeyServiceUnavailable):
        service.rotate()
    assert [operation for operation, _ in kms.requests][-1] == "CreateKey"
    assert service.key_id == old_id
    assert service.unwrap(wrapped, context=CONTEXT) == KEY
    assert service.rotate() == service.key_id != old_id
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


def test_an_alias_that_shows_late_is_waited_for(
    service: AwsKmsKeyService, server: LoopbackServer, kms: KmsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = kms.key(ALIAS).to_dict()
    slept: list[float] = []
    monkeypatch.setattr(aws_kms.time, "sleep", slept.append)
    late = [says(described), kms] * 3
    server.faults = [kms] * 6 + late
    new_id = service.rotate()
    assert slept == [1, 1, 1]
    assert service.key_id == new_id
    monkeypatch.setattr(aws_kms, "_VISIBLE_WITHIN_SECONDS", 2)
    server.faults = [kms] * 6 + late
    with pytest.raises(KeyServiceUnavailable, match="does not show it yet"):
        service.rotate()


def test_a_retired_version_waits_for_deletion_and_can_be_brought_back(
    service: AwsKmsKeyService, kms: KmsServer
) -> None:
    old_id, old = service.key_id, service.wrap(KEY, context=CONTEXT)
    service.rotate()
    service.retire(old_id)
    operation, body = kms.requests[-1]
    arn = old_id.removeprefix("awskms:")
    assert (operation, body) == ("ScheduleKeyDeletion", {"KeyId": arn, "PendingWindowInDays": 7})
    with pytest.raises(KeyDestroyed, match="was retired"):
        service.unwrap(old, context=CONTEXT)
    service._client.cancel_key_deletion(KeyId=arn)
    with pytest.raises(KeyServiceError, match="have its administrator enable it"):
        service.unwrap(old, context=CONTEXT)
    service._client.enable_key(KeyId=arn)
    assert service.unwrap(old, context=CONTEXT) == KEY


def test_only_versions_of_this_root_key_are_retired(service: AwsKmsKeyService, kms: KmsServer) -> None:
    stranger, others = make_key(service), make_key(service, tag="alias/another")
    for arn in (stranger, others, ALIAS, "alias/aws/ebs"):
        for key_id in (f"awskms:{arn}", arn):
            with pytest.raises(KeyNotFound):
                service.retire(key_id)
    with pytest.raises(KeyNotFound):
        service.retire(service.key_id.removeprefix("awskms:"))
    assert {key.key_state for key in kms.keys} == {"Enabled"}


@pytest.mark.parametrize("disable", ["disable_key", "schedule_key_deletion"])
def test_a_key_that_is_disabled_or_deleted_wraps_and_unwraps_nothing(disable: str, service: AwsKmsKeyService) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    getattr(service._client, disable)(KeyId=service.key_id.removeprefix("awskms:"))
    for name, use in USES.items():
        with pytest.raises(KeyServiceError) as refused:
            use(service, wrapped)
        assert isinstance(refused.value, KeyDestroyed) == (disable != "disable_key" and name != "wrap")


def test_a_key_deleted_between_the_questions_is_refused(
    service: AwsKmsKeyService, server: LoopbackServer, kms: KmsServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    described = kms.key(ALIAS).to_dict()
    service._client.schedule_key_deletion(KeyId=kms.key(ALIAS).arn)
    server.faults = [says(described)]
    with pytest.raises(KeyServiceError, match="being deleted"):
        service.unwrap(wrapped, context=CONTEXT)


# A wrapped key that names somebody else's key


def claiming(wrapped: bytes, arn: str) -> bytes:
    """The same bytes, with another key id in their header."""
    length = int.from_bytes(wrapped[5:7])
    named = f"awskms:{arn}".encode()
    return wrapped[:5] + len(named).to_bytes(2) + named + wrapped[7 + length :]


def test_a_key_wrapped_under_a_strangers_key_is_refused_unasked(
    service: AwsKmsKeyService, environ: dict[str, str], kms: KmsServer
) -> None:
    """Whoever writes to the key store puts a wrapping of a key that they know in place of ours."""
    stranger = make_key(service)
    theirs = AwsKmsKeyService.from_uri(f"awskms:{stranger}", environ=environ, create=False)
    planted = theirs.wrap(b"known to the stranger", context=CONTEXT)
    kms.requests.clear()
    with pytest.raises(KeyRefused, match="no version of the root key"):
        service.unwrap(planted, context=CONTEXT)
    assert "Decrypt" not in [operation for operation, _ in kms.requests]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kms:eu-central-1:999999999999:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws-cn:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-central-1:123456789012:alias/secure-ml",
        "alias/secure-ml",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "",
    ],
)
def test_a_key_of_another_account_or_region_is_not_even_asked_about(
    arn: str, service: AwsKmsKeyService, kms: KmsServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    kms.requests.clear()
    with pytest.raises(KeyRefused):
        service.unwrap(claiming(wrapped, arn), context=CONTEXT)
    named = {body["KeyId"] for _, body in kms.requests}
    assert named <= {ALIAS, kms.key(ALIAS).arn}


def test_a_wrapped_key_that_claims_another_version_is_refused(service: AwsKmsKeyService) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    new_id = service.rotate()
    with pytest.raises(KeyRefused):
        service.unwrap(claiming(wrapped, new_id.removeprefix("awskms:")), context=CONTEXT)


# Away, slow, broken


def says(answer: object) -> Application:
    return status(200, json.dumps(answer).encode(), Content_Type="application/x-amz-json-1.1")


def refusing(code: str, *, at: int = 400) -> Application:
    body = json.dumps({"__type": code, "message": "s3cr3t words of the server"}).encode()
    return status(at, body, Content_Type="application/x-amz-json-1.1")


AWAY: dict[str, Application] = {
    "failing": refusing("KMSInternalException", at=500),
    "unavailable": status(503, b"<html>s3cr3t"),
    "behind a failing proxy": status(502, b"<html>s3cr3t"),
    "throttling": refusing("ThrottlingException"),
    "dropping connections": dropped,
}
USES: dict[str, Callable[[AwsKmsKeyService, bytes], object]] = {
    "key_id": lambda service, _: service.key_id,
    "wrap": lambda service, _: service.wrap(KEY, context=CONTEXT),
    "unwrap": lambda service, wrapped: service.unwrap(wrapped, context=CONTEXT),
    "rotate": lambda service, _: service.rotate(),
    "retire": lambda service, wrapped: service.retire(service.wrapped_by(wrapped)),
}


@pytest.mark.parametrize("fault", AWAY)
def test_a_service_that_is_away_is_said_to_be_and_comes_back(
    fault: str, service: AwsKmsKeyService, server: LoopbackServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.fault = AWAY[fault]
    for use in USES.values():
        with pytest.raises(KeyServiceUnavailable) as away:
            use(service, wrapped)
        assert "s3cr3t" not in "".join(traceback.format_exception(away.value))
    server.fault = None
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


def test_a_service_that_hangs_is_given_up(
    service: AwsKmsKeyService, environ: dict[str, str], server: LoopbackServer
) -> None:
    hasty = AwsKmsKeyService.from_uri(URI, environ=environ, create=False, patience=HASTY)
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.fault, before = hanging, len(server.seen)
    with pytest.raises(KeyServiceUnavailable, match="not in time"):
        hasty.unwrap(wrapped, context=CONTEXT)
    assert len(server.seen) - before == 2
    server.fault = None
    assert hasty.unwrap(wrapped, context=CONTEXT) == KEY


def test_a_stopped_server_is_away_until_it_starts(service: AwsKmsKeyService, server: LoopbackServer) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.stop()
    for use in USES.values():
        with pytest.raises(KeyServiceUnavailable, match="does not answer"):
            use(service, wrapped)
    server.start()
    assert service.unwrap(wrapped, context=CONTEXT) == KEY


@pytest.mark.parametrize("fault", ["failing", "unavailable", "throttling", "dropping connections"])
def test_what_passes_is_tried_again_and_no_more_often_than_said(
    fault: str, environ: dict[str, str], server: LoopbackServer
) -> None:
    patience = Patience(attempts=3)
    service = AwsKmsKeyService.from_uri(URI, environ=environ, create=True, patience=patience)
    key_id = service.key_id
    server.faults = [AWAY[fault]] * 2
    assert service.key_id == key_id
    server.fault, before = AWAY[fault], len(server.seen)
    with pytest.raises(KeyServiceUnavailable):
        _ = service.key_id
    assert len(server.seen) - before == 3


def test_the_server_goes_away_between_encrypting_and_the_proof(
    service: AwsKmsKeyService, server: LoopbackServer, kms: KmsServer
) -> None:
    server.faults = [kms, *[dropped] * TWICE.attempts]
    with pytest.raises(KeyServiceUnavailable):
        service.wrap(KEY, context=CONTEXT)
    assert kms.requests[-1][0] == "Encrypt"


# Garbage and lies

ARN = f"arn:aws:kms:{REGION}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
GARBAGE: dict[str, Application] = {
    "a page": status(200, b"<html>Welcome s3cr3t</html>"),
    "nothing": status(200),
    "no content": status(204),
    "a list": status(200, b"[]"),
    "a text": status(200, b'"s3cr3t"'),
    "null": status(200, b"null"),
    "bytes": status(200, b"\xff\xfe\x00s3cr3t"),
    "deep": status(200, b"[" * 5000),
    "empty": says({}),
    "another answer": says({"KeyMetadata": "s3cr3t", "Tags": "s3cr3t", "KeyId": 1}),
    "a key without its kind": says({"KeyMetadata": {"Arn": ARN, "KeyState": "Enabled"}}),
    "a key with a strange name": says({"KeyMetadata": {"Arn": "s3cr3t", "KeyState": "Enabled"}}),
    "numbers": says({"KeyId": ARN, "CiphertextBlob": 1, "Plaintext": 2}),
    "no base64": says({"KeyId": ARN, "CiphertextBlob": "s3cr3t!", "Plaintext": "é"}),
    "no plaintext": says({"KeyId": ARN}),
    "empty blobs": says({"KeyId": ARN, "CiphertextBlob": "", "Plaintext": ""}),
    "half an answer": truncated,
    "teapot": status(418, b"s3cr3t"),
    "a redirect": status(302, b"s3cr3t", Location="http://127.0.0.1:1/"),
    "an unknown refusal": refusing("SecretException s3cr3t"),
    "no refusal at all": status(400, b"s3cr3t"),
    "denied": refusing("AccessDeniedException"),
    "not found": refusing("NotFoundException"),
}


# Encrypting, then the proof: the key, its tags, decrypting.
@pytest.mark.parametrize(("use", "at"), [*(("wrap", at) for at in range(4)), *(("unwrap", at) for at in range(3))])
def test_garbage_is_refused_and_not_quoted(
    use: str, at: int, service: AwsKmsKeyService, server: LoopbackServer, kms: KmsServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    for fault in GARBAGE.values():
        server.faults, server.fault = [kms] * at, fault
        with pytest.raises(KeyServiceError) as refused:
            USES[use](service, wrapped)
        assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))
        assert server.faults == []
        server.fault = None


def test_a_redirect_is_not_followed(service: AwsKmsKeyService, server: LoopbackServer) -> None:
    with LoopbackServer(status(200)) as elsewhere:
        for code in (301, 302, 307, 308):
            server.fault = status(code, b"", Location=elsewhere.url)
            with pytest.raises(KeyServiceError):
                _ = service.key_id
        assert elsewhere.seen == []


@pytest.mark.parametrize("plaintext", ["d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3c=", "d3d3", ""])
def test_another_keys_plaintext_is_refused(
    plaintext: str, service: AwsKmsKeyService, server: LoopbackServer, kms: KmsServer
) -> None:
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.faults = [kms, kms, says({"KeyId": kms.key(ALIAS).arn, "Plaintext": plaintext})]
    with pytest.raises(KeyRefused):
        service.unwrap(wrapped, context=CONTEXT)


def test_another_keys_ciphertext_is_not_handed_out(
    service: AwsKmsKeyService, server: LoopbackServer, kms: KmsServer
) -> None:
    context = aws_kms._context(CONTEXT)
    other = service._client.encrypt(KeyId=ALIAS, Plaintext=b"w" * 32, EncryptionContext=context)
    blob = _base64(other["CiphertextBlob"])
    server.faults = [says({"KeyId": kms.key(ALIAS).arn, "CiphertextBlob": blob})]
    with pytest.raises(KeyServiceError, match="nothing was wrapped"):
        service.wrap(KEY, context=CONTEXT)


# What is seen of keys


def test_the_server_never_sees_the_key(service: AwsKmsKeyService, kms: KmsServer) -> None:
    service.wrap(KEY, context=CONTEXT)
    service.wrap(KEY, context=CONTEXT)
    asked = [body["Plaintext"] for operation, body in kms.requests if operation == "Encrypt"]
    assert len({*asked, _base64(KEY)}) == 3
    assert _base64(KEY) not in json.dumps(kms.requests)


def test_the_context_is_said_in_readable_text(service: AwsKmsKeyService, kms: KmsServer) -> None:
    for context, text in ((CONTEXT, CONTEXT.decode()), (b"", "%"), (b"a b%\xff", "a%20b%25%FF")):
        service.wrap(KEY, context=context)
        said = [body["EncryptionContext"] for operation, body in kms.requests if operation == "Encrypt"]
        assert said[-1] == {"secure_ml": text}


def test_no_log_line_shows_a_key_or_the_credentials(
    environ: dict[str, str], server: LoopbackServer, kms: KmsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = AwsKmsKeyService.from_uri(URI, environ=environ, create=True)
    wrapped = service.wrap(KEY, context=CONTEXT)
    server.faults = [dropped]
    service.unwrap(wrapped, context=CONTEXT)
    with pytest.raises(KeyRefused):
        service.unwrap(wrapped, context=b"other")
    text = caplog.text + repr(service) + repr(service.__dict__)
    (fresh_key,) = (body["Plaintext"] for operation, body in kms.requests if operation == "Encrypt")
    for secret in (SECRET_ACCESS_KEY, fresh_key, _base64(KEY), KEY.hex(), "Plaintext"):
        assert secret not in text


def test_nothing_is_sent_but_to_the_endpoint(
    environ: dict[str, str], server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackServer(status(200)) as elsewhere:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, elsewhere.url)
        for name in ("NO_PROXY", "no_proxy", "AWS_EC2_METADATA_DISABLED"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere.url)
        monkeypatch.setenv("AWS_DEFAULTS_MODE", "auto")
        asked: list[object] = []
        connect = socket.socket.connect
        monkeypatch.setattr(socket.socket, "connect", lambda self, to: (asked.append(to), connect(self, to))[1])
        service = AwsKmsKeyService.from_uri(URI, environ=environ, create=True)
        assert service.unwrap(service.wrap(KEY, context=CONTEXT), context=CONTEXT) == KEY
        assert elsewhere.seen == []
    assert asked
    assert set(asked) == {("127.0.0.1", int(server.url.rpartition(":")[2]))}


def test_without_an_endpoint_it_is_the_regions_own_whatever_other_programs_use(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS"):
        monkeypatch.setenv(name, "https://elsewhere.example")
    client = aws_kms._build_client(REGION, None, environ, Patience())
    assert client.meta.endpoint_url == f"https://kms.{REGION}.amazonaws.com"
