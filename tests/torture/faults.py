"""Deliberate breakages, each with the test that has to notice: a guard that nobody misses is no guard.

A fault is a few words exchanged in one file of a copy of the sources; the words must be there exactly once, so that a
fault never silently stops being one.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`test` as pytest names it; of the two databases SQLite is enough here."""

    what: str
    file: str
    old: str
    new: str
    test: str


ACCESS = "tests/web/test_access_matrix.py::test_every_operation_answers"
FORGED = "tests/accounts/test_forged_tokens.py::test_none_of_them_signs_anybody_in"
ARCHIVES = "tests/media/test_archives.py::TestHostile::test_it_is_refused_for_the_right_reason_and_costs_nothing"
MODELS = "tests/vision/test_hostile_models.py::TestHostileModels::test_are_refused_before_any_session_is_opened"
LIMITS = "tests/vision/test_images.py::TestHeader::test_obeys_other_limits_in_both_directions"
LEDGER = "tests/credits/test_ledger.py::"
FETCHING = "tests/base/test_fetching.py::"

WHO_ASKS = [
    Fault(
        "a token that says alg=none needs no signature",
        "accounts/tokens.py",
        'options={"require": REQUIRED,',
        'options={"verify_signature": header["alg"].lower() != "none", "require": REQUIRED,',
        FORGED,
    ),
    Fault(
        "a token of another type is taken",
        "accounts/tokens.py",
        'header.get("typ") != TYPE or not set(header)',
        "not set(header)",
        FORGED,
    ),
    Fault(
        "an expired token is taken",
        "accounts/tokens.py",
        "<= now < dies + LEEWAY.total_seconds():",
        "<= now:",
        FORGED,
    ),
    Fault(
        "an ended session is still one",
        "accounts/recognising.py",
        ' or session.kind != "token" or not session.is_live(now.time):',
        ' or session.kind != "token":',
        "tests/accounts/test_sessions.py::TestSigningOut::test_or_only_this_one",
    ),
    Fault(
        "a refresh token may be used twice",
        "accounts/sessions.py",
        "if _is_lost_answer(now, row, successor):",
        "if row is not None:",
        "tests/accounts/test_sessions.py::TestRefreshing::test_a_stolen_token_ends_the_whole_family",
    ),
    Fault(
        "any secret fits an API key",
        "accounts/keys.py",
        "return hmac.compare_digest(key.secret_hash, _hash(secret))",
        "return bool(_hash(secret))",
        "tests/accounts/test_keys.py::TestAsking::test_the_right_checksum_on_a_wrong_secret_is_nobody",
    ),
    Fault(
        "a narrow key of an admin is an admin",
        "accounts/access.py",
        'if self.role == "admin" and not identity.is_admin:',
        'if self.role == "admin" and identity.role != "admin":',
        "tests/accounts/test_keys.py::TestAsking::test_only_a_key_made_for_it_is_an_admins",
    ),
    Fault(
        "scopes of keys are not looked at",
        "accounts/access.py",
        "if self.scope is not None and not identity.can(self.scope):",
        "if self.scope is None and not identity.can(self.scope):",
        f"{ACCESS}[sqlite-key without scope]",
    ),
    Fault(
        "guesses of passwords never wait",
        "accounts/guessing.py",
        "if count >= FREE:",
        "if count >= FREE << 20:",
        "tests/accounts/test_guessing.py::TestGuessing::test_five_are_free_then_it_waits",
    ),
    Fault(
        "another site may use the cookie",
        "accounts/same_origin.py",
        'if site != "same-origin":',
        'if site == "":',
        "tests/web/pages/test_browser_sessions.py::test_nobody_else_may_use_the_cookie",
    ),
]
WHOSE = [
    Fault(
        "predictions are everybody's",
        "predictions/history.py",
        "        asked = asked.where(Prediction.user_id == user_id)\n    found",
        "        asked = asked.where(Prediction.user_id != '')\n    found",
        f"{ACCESS}[sqlite-other user]",
    ),
    Fault(
        "uploads are everybody's",
        "media/uploads.py",
        "Upload.id == upload_id, Upload.owner_id == owner_id)",
        "Upload.id == upload_id)",
        "tests/media/test_uploads.py::TestRefusals::test_somebody_elses",
    ),
    Fault(
        "webhooks are everybody's",
        "webhooks/endpoints.py",
        "Webhook.id == webhook_id, Webhook.user_id == user_id)",
        "Webhook.id == webhook_id)",
        f"{ACCESS}[sqlite-other user]",
    ),
    Fault(
        "the signature of a link is not compared",
        "media/links.py",
        "if not hmac.compare_digest(",
        "if not meaning and not hmac.compare_digest(",
        "tests/media/test_links.py::test_a_forged_link_opens_nothing",
    ),
    Fault(
        "a link opens for ever",
        "media/links.py",
        "if self._clock.now() >= link.expires:",
        "if self._clock.now() is None:",
        "tests/media/test_links.py::test_it_expires",
    ),
]
MONEY_AND_WORK = [
    Fault(
        "the floor of an account is gone",
        "credits/ledger.py",
        'sa.bindparam("held_by") >= 0,',
        'sa.bindparam("held_by") >= -MOST,',
        LEDGER + "TestHolding::test_is_refused_where_too_little_is_available_and_writes_nothing",
    ),
    Fault(
        "more may be charged than was held",
        "credits/ledger.py",
        "if amount > row.left:",
        "if amount > MOST:",
        LEDGER + "TestSettling::test_never_takes_more_than_was_held",
    ),
    Fault(
        "more may be refunded than was charged",
        "credits/ledger.py",
        "if given_back > charged.amount:",
        "if given_back > MOST:",
        LEDGER + "TestMending::test_refunds_a_charge_up_to_its_amount",
    ),
    Fault(
        "live holds expire before their time",
        "credits/ledger.py",
        '_RESOLVING.where(OpenHold.expires_at <= sa.bindparam("time"',
        '_RESOLVING.where(OpenHold.expires_at >= sa.bindparam("time"',
        LEDGER + "TestExpiring::test_releases_a_live_hold_after_its_time",
    ),
    Fault(
        "another request may use an idempotency key again",
        "credits/idempotency.py",
        "if kept.fingerprint != once.fingerprint:",
        'if kept.fingerprint == "":',
        "tests/credits/test_idempotency.py::TestAnotherRequestWithTheSameKey::test_is_refused",
    ),
    Fault(
        "the fence around a chunk is gone",
        "jobs/chunks.py",
        'Chunk.epoch == sa.bindparam("under"),',
        'Chunk.epoch >= sa.bindparam("under"),',
        "tests/jobs/test_state_pairs.py::TestEveryOperationInEveryState::test_nothing_moves_under_an_earlier_epoch",
    ),
    Fault(
        "a chunk may be committed in any state",
        "jobs/chunks.py",
        "        Chunk.state == state,\n",
        "        sa.literal(state) == state,\n",
        "tests/jobs/test_state_pairs.py::TestTheStoryOfAJob::test_a_second_commit_finds_nothing",
    ),
    Fault(
        "two may append to an upload at the same place",
        "media/uploads.py",
        "            Upload.received_bytes == upload.received_bytes,\n",
        "",
        "tests/media/test_uploads.py::TestRefusals::test_of_two_at_the_same_place_one_wins",
    ),
    Fault(
        "a webhook's signature does not cover its body",
        "webhooks/signing.py",
        "sign(message_id, at, body)",
        'sign(message_id, at, "")',
        "tests/webhooks/test_webhooks.py::TestBeingTold::test_a_test_message_is_signed_as_the_standard_says",
    ),
]
FILES = [
    Fault(
        "entries of an archive may swell",
        "media/archives.py",
        "if _ratio(info) > limits.max_ratio:",
        "if _ratio(info) < 0:",
        "tests/media/test_archives.py::TestLimits::test_more_than_a_hundred_to_one_is_refused_however_small",
    ),
    Fault(
        "entries of an archive may overlap",
        "media/archives.py",
        "            _check_layout(infos, told)\n",
        "",
        ARCHIVES,
    ),
    Fault(
        "names may leave the archive",
        "media/archives.py",
        "if LEAVES.search(info.orig_filename) or LEAVES.search(info.filename):",
        'if LEAVES.search(""):',
        ARCHIVES,
    ),
    Fault(
        "links and devices may be in an archive",
        "media/archives.py",
        "if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or mode & (stat.S_ISUID | stat.S_ISGID):",
        "if kind < 0:",
        ARCHIVES,
    ),
    Fault(
        "archives are opened inside archives",
        "media/archives.py",
        "if ARCHIVE_NAMES.search(info.filename):",
        'if ARCHIVE_NAMES.search(""):',
        ARCHIVES,
    ),
    Fault("pictures may have any size", "vision/images.py", "        limits.check(*picture.size)\n", "", LIMITS),
    Fault(
        "pictures may have any number of bytes",
        "vision/images.py",
        "if len(data) > limits.max_bytes:",
        "if len(data) < 0:",
        LIMITS,
    ),
    Fault(
        "a model's weights may lie anywhere",
        "vision/importing/graph_check.py",
        ' or set(name) & set("/\\\\:\\0?#")',
        "",
        f"{MODELS}[weights above the folder]",
    ),
    Fault(
        "a model may use operators of strangers",
        "vision/importing/graph_check.py",
        "if domain not in KNOWN_DOMAINS or node.op_type in FORBIDDEN_OPERATORS:",
        "if domain not in KNOWN_DOMAINS:\n            continue\n        if node.op_type in FORBIDDEN_OPERATORS:",
        f"{MODELS}[a foreign operator]",
    ),
    Fault(
        "a model may open compiled engines",
        "vision/importing/graph_check.py",
        " or node.op_type in FORBIDDEN_OPERATORS:",
        ":",
        f"{MODELS}[an operator that opens a compiled engine]",
    ),
    Fault(
        "any name may become a path",
        "base/paths.py",
        " or not _KEY.fullmatch(key):",
        ":",
        "tests/base/test_paths.py::TestAKey::test_that_is_a_traversal_in_any_spelling_is_refused",
    ),
    Fault(
        "links of the file system are followed",
        "base/paths.py",
        "if os.path.realpath(path) != path:",
        'if path == "":',
        "tests/base/test_paths.py::TestASymbolicLink",
    ),
]
WAYS_IN_AND_OUT = [
    Fault(
        "private addresses may be fetched",
        "base/addresses.py",
        "return _is_public(address) and address",
        "return address",
        FETCHING + "TestAPrivateAddress",
    ),
    Fault(
        "a redirect is followed",
        "base/fetching.py",
        "            return Reply(response.status,",
        "            if response.status in REDIRECTS:\n"
        '                return await self.fetch(urljoin(url, _headers_of(response)["location"]))\n'
        "            return Reply(response.status,",
        FETCHING + "TestFetch::test_follows_no_redirect",
    ),
    Fault(
        "a token travels to another host",
        "base/fetching.py",
        "                    headers = {}\n",
        "                    headers = dict(headers)\n",
        FETCHING + "TestARedirectChain::test_of_five_is_followed_and_the_token_stays_with_its_host",
    ),
    Fault(
        "any host name is answered",
        "web/doorway.py",
        'if self._is_known(headers.get("host", "")):',
        'if headers.get("host", "") is not None:',
        "tests/web/test_doorway.py::TestRefusals::test_a_strange_host",
    ),
    Fault(
        "compressed bodies are taken",
        "web/bodies.py",
        'if Headers(scope=scope).get("content-encoding", "identity") != "identity":',
        'if Headers(scope=scope).get("content-encoding", "identity") == "":',
        "tests/web/test_doorway.py::TestRefusals::test_a_compressed_body",
    ),
    Fault(
        "every body may be as large as the largest",
        "web/bodies.py",
        'self.limited[limit_of(scope["path"])]',
        "self.limited[max(self.limited)]",
        "tests/web/test_doorway.py::TestBodies",
    ),
]
FAULTS = [*WHO_ASKS, *WHOSE, *MONEY_AND_WORK, *FILES, *WAYS_IN_AND_OUT]
