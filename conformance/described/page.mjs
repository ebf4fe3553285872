// The interactive documentation in a real Chromium: it loads without an error, and calls that are made from it succeed.
// Arguments: the address of a running server, the path of Chromium, and `sliding` where sliding tokens are accepted.

import { chromium } from "playwright-core";

const [address, executablePath, accepted] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const complaints = [];

/**
 * Sends an operation of the page, with a body where there is one, for an answer of a type where one is named; returns
 * the status and the text that the page shows.
 */
async function call(page, operation, body, type) {
  const block = page.locator(`#operations-${operation}`);
  await block.locator(".opblock-summary-control").click();
  await block.locator(".try-out__btn").click();
  if (type !== undefined) {
    await block.locator(".responses-wrapper select.content-type").first().selectOption(type);
  }
  if (body !== undefined) {
    await block.locator("textarea.body-param__text").fill(JSON.stringify(body));
  }
  await block.locator("button.execute").click();
  const answer = block.locator(".live-responses-table .response").first();
  const status = (await answer.locator(".response-col_status").innerText()).split("\n")[0].trim();
  return { status, text: await answer.innerText() };
}

async function open(page) {
  await page.goto(`${address}/docs/`);
  await page.locator("#operations-accounts-login").waitFor();
}

function expect(what, found, wanted) {
  if (found !== wanted) {
    complaints.push(`${what}: ${found}, not ${wanted}`);
  }
}

try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on("console", (message) => message.type() === "error" && complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`script: ${error}`));
  page.on("requestfailed", (request) => complaints.push(`not loaded: ${request.url()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !request.url().startsWith("data:")) {
      complaints.push(`asked elsewhere: ${request.url()}`);
    }
  });
  await open(page);
  const password = "a-long-enough-secret";
  expect("register", (await call(page, "accounts-register", { username: "ada", password })).status, "201");
  const credentials = { username: "ada", password };
  const asPage = await call(page, "accounts-login", credentials, "text/html");
  expect("login as a page", asPage.status, "200");
  expect("what it shows", asPage.text.includes("<!doctype html>"), true);
  await open(page);
  const pair = await call(page, "accounts-login", credentials);
  expect("login", pair.status, "200");
  // The page took the token of the login: nothing else has told it.
  const me = await call(page, "accounts-me");
  expect("me", me.status, "200");
  expect("who it is", me.text.includes('"username": "ada"'), true);
  expect("sessions", (await call(page, "sessions-sessions")).status, "200");
  const issuing = [["tokens-token_refresh", { refresh: pair.text.match(/"refresh": "([^"]+)"/)[1] }]];
  if (accepted === "sliding") {
    issuing.push(["accounts-token_obtain_sliding", credentials]);
  }
  for (const [operation, body] of issuing) {
    await open(page); // which forgets the token
    expect(operation, (await call(page, operation, body)).status, "200");
    expect(`me after ${operation}`, (await call(page, "accounts-me")).status, "200");
  }
  expect("operations", (await page.locator(".opblock").count()) >= 14, true);
} catch (error) {
  complaints.push(String(error));
} finally {
  await browser.close();
}
for (const complaint of complaints) {
  console.error(complaint);
}
process.exit(complaints.length === 0 ? 0 : 1);
