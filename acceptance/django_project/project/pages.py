"""A page of the project for whoever has logged in: it opens a socket, and has a button to log out."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.template import engines

PAGE = """<!doctype html><title>live</title>
<button onclick="logOut()">Log out</button>
{% csrf_token %}
{{ server|json_script:"server" }}
<script>
const server = JSON.parse(document.getElementById("server").textContent);
window.received = [];
window.closeCode = null;
const socket = new WebSocket(`ws://${server}/ws/notifications/`);
socket.onmessage = (event) => window.received.push(JSON.parse(event.data));
socket.onclose = (event) => { window.closeCode = event.code; };
function logOut() {
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    fetch("/admin/logout/", {method: "POST", headers: {"X-CSRFToken": token}}).then((response) => {
        window.loggedOut = response.ok;
    });
}
</script>"""


@login_required(login_url="/admin/login/")
def live(request):
    """`/live/?server=AUTHORITY`."""
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render({"server": request.GET["server"]}, request))
