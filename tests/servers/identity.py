"""A real identity provider, Canaille, in a process of its own: `python -m tests.servers.identity PORT REDIRECT_URI`.

It keeps everything in memory. Whoever is in `PEOPLE` has the password `PASSWORD`; it says of `VERIFIED` addresses only
that they are verified, as it would say of addresses that it has written to.
"""

from __future__ import annotations

import sys
from pathlib import Path

PEOPLE = {
    "mara": "mara@company.test",
    "newcomer": "newcomer@company.test",
    "claimant": "claimant@company.test",
}
VERIFIED = ("mara", "newcomer")
PASSWORD = "a password at the company"
CLIENT_ID, CLIENT_SECRET = "lastgood", "the secret of this client"


def main(port: int, redirect_uri: str) -> None:
    from canaille import create_app
    from canaille.app import models
    from canaille.backends import Backend
    from joserfc.jwk import RSAKey
    from werkzeug.serving import make_server

    address = f"127.0.0.1:{port}"
    config = {
        "SECRET_KEY": "only for tests",
        "SERVER_NAME": address,
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE_OIDC": {
            "ACTIVE_JWKS": [RSAKey.generate_key(2048).as_dict(private=True)],
            "REQUIRE_NONCE": False,
            "TRUSTED_DOMAINS": ["127.0.0.1"],
        },
    }
    app = create_app(config=config, env_file="")
    claims = app.config["CANAILLE_OIDC"]["USERINFO_MAPPING"]
    claims["EMAIL_VERIFIED"] = f"{{% if user.user_name in {VERIFIED!r} %}}true{{% else %}}false{{% endif %}}"
    with app.app_context(), Backend.instance.session():
        for name, email in PEOPLE.items():
            person = models.User(user_name=name, emails=[email], formatted_name=name.title(), family_name=name.title())
            Backend.instance.save(person)
            Backend.instance.set_user_password(person, PASSWORD)
        client = models.Client(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            client_name="Lastgood",
            client_uri=f"http://{address}",
            redirect_uris=[redirect_uri],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "profile", "email"],
            token_endpoint_auth_method="client_secret_post",
        )
        Backend.instance.save(client)
        client.audience = [client]
        Backend.instance.save(client)
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    Path("/proc/self/oom_score_adj").write_text("500")
    main(int(sys.argv[1]), sys.argv[2])
