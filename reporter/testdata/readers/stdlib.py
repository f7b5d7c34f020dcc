"""Reads complaints with the email package of Python's library."""
import email
import email.policy
import hashlib
import json
import pathlib
import sys


def digest(octets):
    return hashlib.sha256(octets.replace(b"\r\n", b"\n")).hexdigest()


def reading(octets):
    mail = email.message_from_bytes(octets, policy=email.policy.default)
    ours = [mail] if not mail.is_multipart() else [mail, *mail.get_payload()]
    for part in ours:
        defects = part.defects + [d for value in part.values() for d in value.defects]
        if defects:
            return {"fault": f"{part.get_content_type()}: {defects[0]!r}"}
    for field in ("From", "To", "Date", "Message-ID", "Subject", "MIME-Version"):
        if len(mail.get_all(field, [])) != 1:
            return {"fault": f"{field} is not there once"}
    parts = ours[1:] or ours
    text = parts[0].get_content()
    found = {"kinds": [part.get_content_type() for part in parts], "text": digest(text.rstrip().encode())}
    if found["kinds"][1:2] == ["message/feedback-report"]:
        fields = parts[1].get_payload()[0]  # message/* is a header for this package
        names = [name for name, _ in fields.items()]
        if fields.defects or len(set(names)) != len(names) or fields.get_payload():
            return {"fault": f"no clean fields: {names} {fields.defects}"}
        if missing := {"Feedback-Type", "User-Agent", "Version"} - set(names):
            return {"fault": f"no {missing}"}
        found |= {"type": fields["Feedback-Type"], "agent": fields["User-Agent"], "version": fields["Version"]}
        if "Arrival-Date" in fields:
            arrival = email.utils.parsedate_to_datetime(fields["Arrival-Date"])
            found |= {"source": fields["Source-IP"], "arrival": int(arrival.timestamp())}
    return found


for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(json.dumps({"file": path.name, **reading(path.read_bytes())}))
