"""GET /docs: Swagger UI. Scripts and styles come from the connector, and the page may load no others."""

from html import escape
from importlib import resources

from fastapi import APIRouter, Response

_ASSETS = {
    "swagger-ui-bundle.js": "application/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
_CACHED = {"Cache-Control": "max-age=86400"}

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


def routes(title: str) -> APIRouter:
    router = APIRouter(prefix="/docs", include_in_schema=False)

    @router.get("")
    async def page() -> Response:
        content = _PAGE.format(title=escape(title))
        return Response(content, media_type="text/html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    @router.get("/start.js")
    async def start() -> Response:
        return Response(_START, media_type="application/javascript", headers=_CACHED)

    def add_asset(name: str, media_type: str) -> None:
        @router.get(f"/{name}", name=name)
        async def asset() -> Response:
            content = resources.files("fastapi_swagger").joinpath("resources", name).read_bytes()
            return Response(content, media_type=media_type, headers=_CACHED)

    for name, media_type in _ASSETS.items():
        add_asset(name, media_type)
    return router
