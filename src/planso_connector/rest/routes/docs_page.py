"""`/docs`: Swagger UI, whose files come from the connector; and `/`, for those who know the address alone."""

from html import escape
from importlib import resources

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from planso_connector.rest.routes.router import success_response

_ICON = "favicon-32x32.png"
_ASSETS = {"swagger-ui-bundle.js": "application/javascript", "swagger-ui.css": "text/css", _ICON: "image/png"}
_CACHED = {"Cache-Control": "max-age=86400"}

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# Addresses are relative: a proxy may serve the page under a prefix.
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{folder}favicon-32x32.png">
<link rel="stylesheet" href="{folder}swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{folder}swagger-ui-bundle.js"></script>
<script src="{folder}start.js"></script>
</body>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


def routes(title: str, version: str, root_path: str) -> APIRouter:
    """`root_path`: the prefix under which a proxy serves the connector."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def get_root(request: Request) -> Response:
        """A browser gets to /docs; a program is told what there is."""
        headers = {"Vary": "Accept"}
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/docs", headers=headers)
        links = {"docs": "/docs", "openapi": "/openapi.json", "orders": "/api/orders", "health": "/health/ready"}
        links = {name: root_path + path for name, path in links.items()}
        message = f"{title} {version}. {links['docs']} has the reference, {links['openapi']} the same for programs."
        return success_response(message, headers=headers, name=title, version=version, links=links)

    def render_page(folder: str) -> Response:
        content = _PAGE.format(title=escape(title), folder=folder)
        return Response(content, media_type="text/html", headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    @router.get("/docs")
    async def get_page() -> Response:
        return render_page("docs/")

    @router.get("/docs/")
    async def get_page_of_folder() -> Response:
        return render_page("")

    @router.get("/docs/start.js")
    async def get_start() -> Response:
        return Response(_START, media_type="application/javascript", headers=_CACHED)

    def add_asset(path: str, name: str, media_type: str) -> None:
        @router.get(path, name=path)
        async def get_asset() -> Response:
            content = resources.files("fastapi_swagger").joinpath("resources", name).read_bytes()
            return Response(content, media_type=media_type, headers=_CACHED)

    for name, media_type in _ASSETS.items():
        add_asset(f"/docs/{name}", name, media_type)
    add_asset("/favicon.ico", _ICON, _ASSETS[_ICON])  # browsers ask for it on pages that name no icon, as JSON
    return router
