"""Countersign against the real Django, Simple JWT, PyJWT and jose. `run` installs them and starts this."""

import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from jwt.algorithms import get_default_algorithms

import adoption
import key_set
import mail
import moving
import shared_database
import user_models
from checks import Checks
from keys import PAIRS, SECRET
from servers import stop_all
from tokens import tokens_pass_both_ways


def areas():
    """Name, function and arguments of each; they share nothing, and run side by side."""
    yield "algorithms", every_algorithm_is_checked
    for algorithm in [*SECRET, *PAIRS]:
        yield algorithm, tokens_pass_both_ways, algorithm
    for algorithm in key_set.ALGORITHMS:
        yield f"key set, {algorithm}", key_set.ring_key_passes, algorithm
        yield f"SIGNING_KEY, {algorithm}", key_set.static_key_is_published, algorithm
    yield "key set", key_set.private_keys_stay_private
    yield "key set, rotations", key_set.tokens_outlive_their_keys_turn
    yield "migrations", shared_database.django_runs_on_our_database
    for hasher in ["pbkdf2_sha256", "argon2id"]:
        yield f"passwords, {hasher}", shared_database.passwords_are_read_by_both, hasher
    for peer in ["on", "off"]:
        yield f"blacklist, DJANGO_PEER={peer}", shared_database.blacklist_is_shared, peer
    yield "outstanding tokens", shared_database.django_ends_what_we_recorded
    yield "rotation", shared_database.rotation_is_shared
    for encryption in mail.ENCRYPTIONS:
        yield f"mail, {encryption}", mail.an_account_is_made_by_mail, encryption
    yield "mail, kill -9", mail.what_was_answered_outlives_its_server
    yield "writing at once", shared_database.both_write_at_once
    for engine in ["SQLite", "PostgreSQL"]:
        for kind in adoption.PROJECTS:
            yield f"adoption, look, {engine}, {kind}", adoption.the_look_is_right_and_changes_nothing, engine, kind
            yield f"adoption, both at once, {engine}, {kind}", adoption.both_serve_it_at_once, engine, kind
            yield f"adoption, way back, {engine}, {kind}", adoption.there_is_a_way_back, engine, kind
        for kind in user_models.MODELS:
            yield f"user model, {engine}, {kind}", user_models.a_user_model_is_served, engine, kind
        yield f"adoption, refusals, {engine}", adoption.what_cannot_be_adopted_is_said, engine
        yield f"adoption, ours, {engine}", adoption.django_runs_on_ours, engine
        for kind in adoption.PROJECTS:
            yield f"moving, database, {engine}, {kind}", moving.a_database_moves, engine, kind
        for dump in moving.DUMPS:
            yield f"moving, dump, {engine}, {dump}", moving.a_dump_moves, engine, "startproject", dump


def every_algorithm_is_checked(check, _directory):
    known = set(get_default_algorithms()) - {"none"}
    check.holds("PyJWT has no more than are checked here", known == {*SECRET, *PAIRS}, known)


def run(name, area, *arguments):
    """All of an area's checks; an area that breaks off is a check that failed."""
    check = Checks(name)
    with tempfile.TemporaryDirectory(prefix="countersign-interop-") as directory:
        try:
            area(check, directory, *arguments)
        except Exception as error:  # whatever it was, the other areas go on
            check.holds("runs to its end", False, f"{type(error).__name__}: {error}")
    return check


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    only = os.environ.get("INTEROP_ONLY", "")
    began = time.monotonic()
    done = []
    with ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1))) as pool:
        try:
            runs = [pool.submit(run, *area) for area in areas() if only in area[0]]
            for finished in as_completed(runs):
                done.append(finished.result())
                print("\n".join(done[-1].lines), flush=True)
        except BaseException:
            # Without its servers every area ends at once.
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise
    passed, failed = sum(check.passed for check in done), sum(check.failed for check in done)
    print(f"in {time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
