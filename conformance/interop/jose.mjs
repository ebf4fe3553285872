// What npm's jose says of tokens, by the key set at a URL. Reads {"jwks": URL, "tokens": {NAME: TOKEN}} and writes
// {NAME: the token's user_id, or the code of the error}.
import { createRemoteJWKSet, jwtVerify } from "jose";
import { text } from "node:stream/consumers";

const { jwks, tokens } = JSON.parse(await text(process.stdin));
const keys = createRemoteJWKSet(new URL(jwks));
const verdicts = {};
for (const [name, token] of Object.entries(tokens)) {
  try {
    const { payload } = await jwtVerify(token, keys);
    verdicts[name] = payload.user_id;
  } catch (error) {
    verdicts[name] = error.code ?? String(error);
  }
}
console.log(JSON.stringify(verdicts));
