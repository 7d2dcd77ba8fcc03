"""README.txt of an archive: how to check it by hand.

Its commands are those of docs/evidence.md (a test compares them), indented by four spaces.
"""

from typing import Final

_INTRODUCTION: Final = """\
This archive proves, offline, what one instance of the product factory is made of, from which
template, with which data, and when. `factory evidence verify` checks all of it; so do these
commands (sh, coreutils, openssl 3, jq), one after the other, in the directory that it was unpacked
into. They leave a few files in the directory above. Each must end with the exit code 0.

Nothing in here helps against somebody who has written all of it anew. So compare audit/audit.pub
with the factory's key as you have it from elsewhere, or look in audit/chain.txt for a head that you
have kept (`factory audit export`). And take the commands from docs/evidence.md, not from here.

"""

_SUMS: Final = """\
All files are as they were given, and there are no others:

    sha256sum --strict --quiet -c SHA256SUMS
    cut -c67- SHA256SUMS | LC_ALL=C sort > ../listed
    find . -type f ! -path ./SHA256SUMS | cut -c3- | LC_ALL=C sort | diff ../listed -

"""

_SIGNATURES: Final = """\
The factory's key has signed the statement over them (DSSE), and a head of the audit chain:

    { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < statement.json)"
      cat statement.json; } > ../statement.pae
    jq -r '.signatures[0].sig' statement.dsse.json | base64 -d > ../statement.sig
    jq -r .payload statement.dsse.json | base64 -d | cmp - statement.json
    openssl pkeyutl -verify -pubin -inkey audit/audit.pub -rawin \\
      -in ../statement.pae -sigfile ../statement.sig
    openssl pkeyutl -verify -pubin -inkey audit/audit.pub -rawin \\
      -in audit/signed.txt -sigfile audit/signed.sig

"""

_COMPOSITION: Final = """\
The digest of a content is that of `media type LF title LF body`, which is what each file in pieces/
has. The digest of a composition is that of its lines, and the template's version has the same:

    awk -F '\\t' '{ print $3 "  pieces/" $1 "-" $2 ".txt" }' composition.tsv > ../pieces
    sha256sum --strict --quiet -c ../pieces
    composition=$(sha256sum < composition.tsv | cut -c-64)
    test "$composition" = "$(jq -r .composition_digest instance.json)"
    test "$composition" = "$(jq -r .composition_digest version.json)"

"""

_DATA: Final = """\
The digest of the data is that of its RFC 8785 text, and the product's that of `composition digest
LF data digest LF`. The instance's id is the MD5 of `event:reference:suffix`:

    data=$(sha256sum < data.json | cut -c-64)
    test "$data" = "$(jq -r .data_digest instance.json)"
    printf '%s\\n' "$composition" "$data" | cmp - product.txt
    test "$(sha256sum < product.txt | cut -c-64)" = "$(jq -r .product_digest instance.json)"
    instance=$(jq -r .instance_collection_id instance.json | tr -d -)
    jq -j '.event_id + ":" + .reference_id + ":" + .suffix' log.json > ../identity
    test "$(md5sum < ../identity | cut -c-32)" = "$instance"

"""

_RUN: Final = """\
The run has the digest of audit/instances.bin, in entries of 48 bytes: after one of zeros a template
and its composition, then each of its instances with the digest of its data. This one is among them:

    test "$(sha256sum < audit/instances.bin | cut -c-64)" = \\
      "$(jq -r .instances_digest audit/run.json)"
    template=$(jq -r .template_collection_id instance.json | tr -d -)
    od -An -v -tx1 audit/instances.bin | tr -d ' \\n' | fold -w 96 > ../entries
    echo >> ../entries
    awk -v of="$template$composition" -v this="$instance$data" '
      /^0+$/ { announced = 1; next }
      announced { template = $0; announced = 0; next }
      template == of && $0 == this { found = 1 }
      END { exit !found }' ../entries
    test "$(jq -r .last_at audit/run.json)" = "$(jq -r .composed_at instance.json)"
    test "$(jq -r .subject_id audit/run.json)" = "$(jq -r .batch_id log.json)"

"""

_LISTED: Final = """\
The run stands in the list of its segment:

    run=$(sha256sum < audit/run.json | cut -c-64)
    grep -qx "$run  $(jq -r .record_id audit/run.json)" audit/segment.list

"""

_CHAIN: Final = """\
The list is the one that the segment's head names. In audit/chain.txt each head, which has eight
lines, names the SHA-256 of the one before it. The last of them is what was signed:

    test "$(sha256sum < audit/segment.list | cut -c-64)" = \\
      "$(sed -n 's/^runs_sha256 //p' audit/head.txt)"
    head -n 8 audit/chain.txt | cmp - audit/head.txt
    tail -n 8 audit/chain.txt | cmp - audit/signed.txt
    rm -rf ../heads && mkdir ../heads && split -l 8 -a 5 audit/chain.txt ../heads/
    before=
    for head in ../heads/*; do
      test -z "$before" || grep -qx "previous_sha256 $before" "$head"
      before=$(sha256sum < "$head" | cut -c-64)
    done
    echo "The head that was signed has the digest $before"

"""

_OLDER: Final = """\
The instance is OLDER THAN THE FACTORY'S RECORD OF RUNS. What is in audit/ tells of the one run, of
migrate_database, that knows how many such instances there were, with a digest over all of them:
that this one is among them can't be seen from here. That it is so, says the factory's signature.

"""

_RETIRED: Final = """\
The run that composed the instance WAS RETIRED: its row is deleted, and which line of
audit/segment.list it had can't be told any more. What is in audit/ is the segment of that time.
That the instance was composed in it, says the factory with its signature.

"""

_SAID: Final = """\
Of version.json the audit chain proves the template's id and digest, of log.json the id, the
template, the data, the actor, the call and the time. The rest, such as the version's name and its
time of validity, is what the factory says, with its signature.
"""


def readme_text(proven_by: str, *, of_an_event: bool) -> bytes:
    """README.txt for an instance that is so proven, with data or without."""
    proven = proven_by == "run"
    parts = (
        _INTRODUCTION,
        {"older_than_runs": _OLDER, "run_retired": _RETIRED}.get(proven_by, ""),
        _SUMS,
        _SIGNATURES,
        _COMPOSITION,
        _DATA if of_an_event else "",
        _RUN if proven else "",
        _LISTED if proven_by != "run_retired" else "",
        _CHAIN,
        _SAID,
    )
    return "".join(parts).encode()
