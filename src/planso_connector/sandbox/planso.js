// The browser's side of PlanSo: reads the board and one order's form, serialises the form as jQuery's serialize() does,
// and saves it in the installation's style (docs/sandbox.md).
"use strict";
const { table, escaped, style, saves } = JSON.parse(document.body.dataset.planso);
const element = (id) => document.getElementById(id);
const root = new URL("..", document.currentScript.src).pathname;
const isInApp = location.pathname === `${root}app`;
let opened = null, tokenOfForm = "";

function send(method, address, body = null, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.setRequestHeader("Accept", "application/json, text/javascript, */*; q=0.01");
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.onload = () => resolve(request);
    request.onerror = () => reject(new Error("Keine Verbindung"));
    request.send(body);
  });
}

function parseJson(request) {
  const type = request.getResponseHeader("Content-Type") ?? "";
  if (!type.includes("json")) return null;
  try { return JSON.parse(request.responseText); } catch { return null; }
}

// -- serialising the form, as jQuery does

function controlValues(control) {
  if (control.localName === "select") {
    const chosen = [...control.options].filter(
      (option) => option.selected && !option.disabled && !option.closest("optgroup:disabled"));
    if (control.multiple) return chosen.map((option) => option.value);
    return chosen.slice(0, 1).map((option) => option.value);
  }
  return [control.value];
}

function serializeArray(form) {
  return [...form.elements]
    .filter((control) => control.name && !control.matches(":disabled"))
    .filter((control) => /^(?:input|select|textarea|keygen)$/i.test(control.localName))
    .filter((control) => !/^(?:submit|button|image|reset|file)$/i.test(control.type))
    .filter((control) => control.checked || !/^(?:checkbox|radio)$/i.test(control.type))
    .flatMap((control) => controlValues(control).map(
      (value) => ({ name: control.name, value: value.replace(/\r?\n/g, "\r\n") })));
}

const encode = (text) => style.space === "+"
  ? encodeURIComponent(text).replace(/%20/g, "+") : encodeURIComponent(text);
const param = (pairs) => pairs.map(({ name, value }) => `${encode(name)}=${encode(value)}`).join("&");

function groupByName(pairs) {
  const names = new Map();
  for (const { name, value } of pairs) names.set(name, [...(names.get(name) ?? []), value]);
  return names;
}

const asObject = (pairs) => Object.fromEntries(
  [...groupByName(pairs)].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));

function changedPairs(before, now) {
  const old = groupByName(before), current = groupByName(now);
  const differs = (name) => JSON.stringify(old.get(name)) !== JSON.stringify(current.get(name));
  const names = [...new Set([...current.keys(), ...old.keys()])].filter(differs);
  if (style.tokens.includes("form") && !names.includes("form_token")) names.unshift("form_token");
  return names.flatMap((name) => (current.get(name) ?? [""]).map((value) => ({ name, value })));
}

// -- saving

function findToken(page) {
  const selector = { meta: "meta", input: "input[type=hidden]" }[style.token_from];
  const found = page.querySelector(`${selector}[name="${style.token_source}"]`);
  return found?.content ?? found?.value;
}

async function fetchToken() {
  if (style.token_from === "member") return tokenOfForm;
  if (style.token_from === "cookie") {
    const cookies = document.cookie.split("; ").map((cookie) => cookie.split("="));
    return cookies.find(([name]) => name === style.token_source)?.[1] ?? "";
  }
  const here = findToken(document);
  if (here) return here;
  return findToken(new DOMParser().parseFromString((await send("GET", `${root}app`)).responseText, "text/html")) ?? "";
}

function buildBody(beside, pairs) {
  if (pairs && style.line_break === "lf") {
    pairs = pairs.map(({ name, value }) => ({ name, value: value.replace(/\r\n/g, "\n") }));
  }
  const all = [...beside, ...(pairs ?? [])];
  if (!pairs && !all.length) return [null, null];
  if (style.body === "json") return [JSON.stringify(asObject(all)), "application/json"];
  if (style.body === "multipart") {
    const data = new FormData();
    for (const { name, value } of all) data.append(name, value);
    return [data, null];
  }
  const form = "application/x-www-form-urlencoded; charset=UTF-8";
  if (!pairs || style.body === "plain") return [param(all), form];
  const value = { fields: () => param(pairs), fields_json: () => JSON.stringify(asObject(pairs)),
    fields_json_pairs: () => JSON.stringify(pairs) }[style.body]();
  return [param([...beside, { name: style.parameter, value }]), form];
}

async function save(kind, id, pairs) {
  const call = saves[kind];
  const needsToken = [call.query, call.outer, call.headers].some((part) => Object.values(part).includes("{token}"));
  const values = { "{id}": id, "{token}": needsToken ? await fetchToken() : "", "{any}": String(Date.now()) };
  const fillPlaceholders = (part) => Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, values[value] ?? value]));
  const headers = fillPlaceholders(call.headers);
  const beside = Object.entries(fillPlaceholders(call.outer)).map(([name, value]) => ({ name, value }));
  const [content, type] = buildBody(beside, pairs);
  if (type) headers["Content-Type"] = type;
  const query = new URLSearchParams({ ...fillPlaceholders(call.query), ...call.also });
  return send("POST", `${root}${call.path.slice(1)}?${query}`, content, headers);
}

function parseOutcome(request) {
  const answer = parseJson(request);
  const message = answer?.error || answer?.errors?.[0]?.text || answer?.errors?.[0] ||
    (answer?.success === false || request.status >= 400 ? answer?.message : "");
  if (message || request.status >= 400) return { refusal: message || `Fehler ${request.status}` };
  if (!answer && request.responseText) return { refusal: "PlanSo hat anders geantwortet als sonst." };
  const redirected = new URL(request.responseURL).searchParams.get("dataID");
  return { id: answer?.dataID ?? answer?.data?.id ?? answer?.id ?? redirected };
}

// -- the page

function show(state, text) {
  element("result").dataset.state = state;
  element("result").textContent = text;
}

function fillControls(form, functions) {
  for (const control of form.querySelectorAll("[data-date], [data-value]")) {
    if (!control.value) control.value = control.dataset.date ?? control.dataset.value;
  }
  const $ = (selector) => ({
    val: (value) => form.querySelectorAll(selector).forEach((control) => { control.value = value; }),
  });
  const visual_forms = { init() {} };
  new Function("$", "jQuery", "visual_forms", functions)($, $, visual_forms);
}

async function open(id) {
  element("editor").hidden = false;
  element("title").textContent = id ? `Auftrag ${id}` : "Neuer Auftrag";
  const query = { m: "visual_forms_plain", tableID: table, submode: id ? "update" : "insert", dataID: id,
    call_back_class: "resourceplanner_single_project_wrapper", callback: "" };
  const answer = parseJson(await send("POST", `${root}do?${new URLSearchParams(query)}`));
  if (!answer) {
    element("form").innerHTML = `Bitte zuerst <a href="${root}app">anmelden</a>.`;
    opened = null;
    return;
  }
  tokenOfForm = answer[style.token_source] ?? "";
  let content = answer.center.content;
  if (escaped) {
    const plain = document.createElement("textarea");
    plain.innerHTML = content;
    content = plain.value;
  }
  element("form").innerHTML = content;
  const form = element("form").querySelector("form");
  if (!form) {
    opened = null;
    return;
  }
  fillControls(form, answer.functions ?? "");
  form.addEventListener("submit", (event) => { event.preventDefault(); element("save").click(); });
  opened = { id, form, before: serializeArray(form) };
  element("delete").hidden = !id;
  element("editor").dataset.open = id;
}

async function showBoard() {
  const answer = parseJson(await send("POST", `${root}do?m=resourceplanner_get_project_stations&filterID=`));
  const orders = Object.values(answer ?? {}).filter((entry) => entry && entry.ID);
  element("resourceplanner").replaceChildren(...orders.map((order) => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = "#";
    link.dataset.order = order.ID;
    link.textContent = `${order.ID} ${order.short_name}`;
    link.addEventListener("click", (event) => { event.preventDefault(); show("", ""); open(String(order.ID)); });
    item.append(link);
    return item;
  }));
}

async function saveForm() {
  if (!opened) return;
  const now = serializeArray(opened.form), submode = opened.id ? "update" : "insert";
  show("busy", "Wird gespeichert …");
  const pairs = style.sends === "changed" ? changedPairs(opened.before, now) : now;
  const { refusal, id } = parseOutcome(await save(submode, opened.id, pairs));
  if (refusal) return show("refused", refusal);
  await open(opened.id || String(id));
  if (isInApp) await showBoard();
  show("saved", "Gespeichert");
}

async function deleteOrder() {
  if (!opened?.id) return;
  show("busy", "Wird gelöscht …");
  const { refusal } = parseOutcome(await save("delete", opened.id, null));
  if (refusal) return show("refused", refusal);
  element("form").replaceChildren();
  opened = null;
  if (isInApp) await showBoard();
  show("deleted", "Gelöscht");
}

element("save").addEventListener("click", saveForm);
element("delete").addEventListener("click", deleteOrder);
element("new").addEventListener("click", () => { show("", ""); open(""); });
if (isInApp) showBoard();
else open(element("editor").dataset.order);
