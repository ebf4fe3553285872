// Pages of several origins in a real Chromium, and a server of ours that gives them cookies.
// Arguments: the paths of the program and of Chromium.
//
// Chromium takes localhost and 127.0.0.1 for two sites, and the ports of one of them for origins of one site. So, seen from
// http://localhost:PORT, where the server is: another port of localhost is what app.example.com is to auth.example.com, and
// 127.0.0.1 is what evil.example is.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [program, executablePath] = process.argv.slice(2);
const PASSWORD = "a-long-enough-secret";
const TOKENS = ["__Host-access_token", "__Secure-refresh_token"];
const CSRF = "__Host-csrftoken";
let checks = 0;
const complaints = [];

function expect(what, found, wanted) {
  checks += 1;
  const [is, shouldBe] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (is !== shouldBe) {
    complaints.push(`${what}: ${is}, not ${shouldBe}`);
  }
}

/** An empty page at every path of a port of its own; returns the port. */
async function emptyPages() {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>A page</title>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return server.address().port;
}

/** A server of ours in an empty directory; resolves once it listens. */
async function serve(settings) {
  const place = mkdtempSync(join(tmpdir(), "countersign-browsers-"));
  const server = spawn(program, ["serve", "--addr", "127.0.0.1:0"], { cwd: place, env: { LOG_FORMAT: "pretty", ...settings } });
  let said = "";
  const port = await new Promise((resolve, reject) => {
    const listen = (chunk) => {
      said += chunk;
      const found = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
      if (found) resolve(Number(found[1]));
    };
    server.stdout.on("data", listen);
    server.stderr.on("data", listen);
    server.on("exit", () => reject(new Error(`the server ended: ${said}`)));
    setTimeout(() => reject(new Error(`the server does not listen: ${said}`)), 30_000).unref();
  });
  const end = () => {
    server.removeAllListeners("exit");
    server.kill();
    rmSync(place, { recursive: true, force: true });
  };
  return { port, end, said: () => said };
}

/** What a script of the page gets: a status, a body, and what it can see of cookies; or that the browser keeps it. */
function call(page, url, options = {}) {
  return page.evaluate(
    async ([url, options]) => {
      try {
        const answer = await fetch(url, { credentials: "include", ...options });
        const text = await answer.text();
        const setCookie = answer.headers.get("set-cookie");
        return { status: answer.status, type: answer.type, body: text && JSON.parse(text), setCookie };
      } catch (error) {
        return { blocked: error.name };
      }
    },
    [url, options],
  );
}

function post(body, csrf) {
  const headers = { "content-type": "application/json", ...(csrf === undefined ? {} : { "x-csrftoken": csrf }) };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

/** Has the page send a form, as a link on it could; returns the status of the page that the browser then shows. */
async function submit(page, action, fields) {
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url() === action),
    page.evaluate(
      ([action, fields]) => {
        const form = document.createElement("form");
        Object.assign(form, { method: "POST", action });
        for (const [name, value] of Object.entries(fields)) {
          form.append(Object.assign(document.createElement("input"), { name, value }));
        }
        document.body.append(form);
        form.submit();
      },
      [action, fields],
    ),
  ]);
  return { status: answer.status(), text: await answer.text() };
}

/** Sends an operation of the documentation, and returns the status that it shows. */
async function tryOut(page, operation, body) {
  const block = page.locator(`#operations-${operation}`);
  await block.locator(".opblock-summary-control").click();
  await block.locator(".try-out__btn").click();
  if (body !== undefined) {
    await block.locator("textarea.body-param__text").fill(JSON.stringify(body));
  }
  await block.locator("button.execute").click();
  const status = block.locator(".live-responses-table .response .response-col_status").first();
  return (await status.innerText()).split("\n")[0].trim();
}

/** The cookies that belong to the session; the one of a known device does not. */
async function ofSession(context) {
  return (await context.cookies()).filter((cookie) => [CSRF, ...TOKENS].includes(cookie.name));
}

async function kept(context) {
  return (await ofSession(context)).map((cookie) => cookie.name).sort();
}

const ports = { app: await emptyPages(), other: await emptyPages() };
const [APP, SIBLING, EVIL] = [`http://localhost:${ports.app}`, `http://localhost:${ports.other}`, `http://127.0.0.1:${ports.other}`];
const server = await serve({ TOKEN_COOKIES: "on", CORS_ALLOWED_ORIGINS: APP, CORS_ALLOW_CREDENTIALS: "True" });
const OURS = `http://localhost:${server.port}`;
const api = (path) => `${OURS}/user/api/${path}`;
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

async function open(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(url);
  return page;
}

try {
  const context = await browser.newContext();
  const app = await open(context, `${APP}/`);
  for (const username of ["ada", "eve"]) {
    expect(`register ${username}`, (await call(app, api("register/"), post({ username, password: PASSWORD }))).status, 201);
  }

  // A page of another origin that is allowed.
  const login = await call(app, api("login/"), post({ username: "ada", password: PASSWORD }));
  expect("login", [login.status, login.type, Object.keys(login.body)], [200, "cors", ["csrf_token"]]);
  const csrf = login.body.csrf_token;
  expect("what the browser keeps", await kept(context), [CSRF, ...TOKENS].sort());
  for (const cookie of await ofSession(context)) {
    const found = [cookie.secure, cookie.httpOnly, cookie.sameSite, cookie.path];
    const wanted = {
      [TOKENS[0]]: [true, true, "Lax", "/"],
      [TOKENS[1]]: [true, true, "Strict", "/user/api/token/refresh/"],
      [CSRF]: [true, false, "Strict", "/"],
    };
    expect(cookie.name, found, wanted[cookie.name]);
  }
  const seen = await app.evaluate(() => document.cookie);
  expect("a script sees a token", TOKENS.some((name) => seen.includes(name)), false);
  expect("a script sees the header", login.setCookie, null);
  const me = await call(app, api("me/"));
  expect("me", [me.status, me.body.username], [200, "ada"]);
  const refreshed = await call(app, api("token/refresh/"), post({}, csrf));
  expect("refresh", [refreshed.status, Object.keys(refreshed.body)], [200, ["csrf_token"]]);
  expect("refresh without the token", (await call(app, api("token/refresh/"), post({}))).status, 403);
  expect("logout without the token", (await call(app, api("logout/"), post({}))).status, 403);

  // A page of the same site that is not allowed: the browser sends it the cookies along, and keeps the answers from it.
  const sibling = await open(context, `${SIBLING}/`);
  expect("a sibling reads me", await call(sibling, api("me/")), { blocked: "TypeError" });
  expect("a sibling logs out", await call(sibling, api("logout/"), post({}, csrf)), { blocked: "TypeError" });
  await call(sibling, api("logout/"), { method: "POST", mode: "no-cors" });
  const form = await submit(sibling, api("logout/"), {});
  expect("a sibling's form", [form.status, form.text.includes("CSRF Failed: Origin checking failed")], [403, true]);

  // A page of another site.
  const evil = await open(context, `${EVIL}/`);
  expect("another site reads me", await call(evil, api("me/")), { blocked: "TypeError" });
  await call(evil, api("logout/"), { method: "POST", mode: "no-cors" });
  expect("another site's form: it goes without cookies", (await submit(evil, api("logout/"), {})).status, 401);
  await evil.goto(`${EVIL}/`);
  const forged = await submit(evil, api("login/"), { username: "eve", password: PASSWORD });
  expect("another site logs in", [forged.status, forged.text.includes("CSRF Failed")], [403, true]);
  const still = await call(app, api("me/"));
  expect("after all that", [still.status, still.body.username], [200, "ada"]);

  // A link from another site to a page behind the proxy: the access cookie goes along, the refresh cookie does not.
  await evil.goto(`${EVIL}/`);
  const [followed] = await Promise.all([
    evil.waitForRequest((request) => request.url() === api("me/")),
    evil.evaluate((url) => location.assign(url), api("me/")),
  ]);
  const sent = (await followed.allHeaders()).cookie ?? "";
  expect("a link brings", TOKENS.map((name) => sent.includes(name)), [true, false]);

  const out = await call(app, api("logout/"), post({}, csrf));
  expect("logout", out.status, 200);
  expect("what the browser keeps after it", await kept(context), []);
  expect("me after it", (await call(app, api("me/"))).status, 401);

  // Our own origin, on which a page reads the CSRF token from its cookie.
  for (const origin of [OURS, `http://127.0.0.1:${server.port}`]) {
    const context = await browser.newContext();
    const ours = await open(context, `${origin}/docs/`);
    const at = (path) => `${origin}/user/api/${path}`;
    expect(`${origin}: login`, (await call(ours, at("login/"), post({ username: "ada", password: PASSWORD }))).status, 200);
    expect(`${origin}: cookies over plain HTTP`, await kept(context), [CSRF, ...TOKENS].sort());
    const seen = await ours.evaluate(() => document.cookie);
    expect(`${origin}: scripts see`, seen.split("; ").map((pair) => pair.split("=")[0]), [CSRF]);
    const own = seen.split("=")[1];
    expect(`${origin}: refresh`, (await call(ours, at("token/refresh/"), post({}, own))).status, 200);
    expect(`${origin}: me`, (await call(ours, at("me/"))).status, 200);
    expect(`${origin}: logout`, (await call(ours, at("logout/"), post({}, own))).status, 200);
    expect(`${origin}: after it`, await kept(context), []);
    expect(`${origin}: /docs/ logs in`, await tryOut(ours, "accounts-login", { username: "ada", password: PASSWORD }), "200");
    expect(`${origin}: /docs/ logs out`, await tryOut(ours, "sessions-logout"), "200");
    expect(`${origin}: after that`, await kept(context), []);
    await context.close();
  }
} catch (error) {
  complaints.push(`${error.stack}\n${server.said()}`);
} finally {
  await browser.close();
  server.end();
}
for (const complaint of complaints) {
  console.error(complaint);
}
console.log(`browsers: ${checks} checks, ${complaints.length} failed`);
process.exit(complaints.length === 0 ? 0 : 1);
