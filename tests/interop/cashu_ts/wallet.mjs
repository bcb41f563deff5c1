// cashu-ts as a program: `node wallet.mjs MINT STATE COMMAND [ARG...]` prints one JSON value. STATE is
// the file with its seed (hex), coins and counters, and its key for locked ecash.

import { readFileSync, writeFileSync } from 'node:fs';
import { PaymentRequest, Wallet, getEncodedToken } from '@cashu/cashu-ts';
import { secp256k1 } from '@noble/curves/secp256k1.js';

const [url, file, command, ...args] = process.argv.slice(2);
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const state = JSON.parse(readFileSync(file, 'utf8'));
state.key ||= hex(secp256k1.utils.randomSecretKey());
const publicKey = () => hex(secp256k1.getPublicKey(Buffer.from(state.key, 'hex'), true));

const wallet = new Wallet(url, {
  bip39seed: Uint8Array.from(Buffer.from(state.seed, 'hex')),
  counterInit: state.counters,
});
wallet.on.countersReserved(({ keysetId, next }) => (state.counters[keysetId] = next));
await wallet.loadMint();

const balance = () => state.proofs.reduce((sum, proof) => sum + Number(proof.amount), 0);
const plain = (proofs) => proofs.map((p) => ({ ...p, amount: Number(p.amount) }));

async function send(amount, lock) {
  const builder = wallet.ops.send(Number(amount), state.proofs);
  const { keep, send } = await (lock ? builder.asP2PK(lock) : builder).run();
  state.proofs = keep;
  return send;
}

const commands = {
  balance: async () => balance(),
  key: async () => publicKey(),
  fund: async (amount) => {
    const quote = await wallet.createMintQuoteBolt11(Number(amount));
    for (let n = 0; (await wallet.checkMintQuoteBolt11(quote.quote)).state !== 'PAID'; n++) {
      if (n > 100) throw new Error('the invoice is not paid');
      await new Promise((done) => setTimeout(done, 100));
    }
    state.proofs.push(...(await wallet.mintProofsBolt11(Number(amount), quote.quote)));
    return balance();
  },
  send: async (amount, lock) => {
    const proofs = await send(amount, lock && { pubkey: lock });
    return getEncodedToken({ mint: url, proofs, unit: 'sat' });
  },
  receive: async (token) => {
    const got = await wallet.receive(token, { privkey: state.key, requireDleq: false });
    state.proofs.push(...got);
    return balance();
  },
  read_request: async (text) => {
    const request = PaymentRequest.fromEncodedRequest(text);
    const { id, unit, mints, description, singleUse } = request;
    const lock = request.toP2PKOptions();
    return { id, unit, mints, description, singleUse, amount: Number(request.amount), lock };
  },
  pay_request: async (text) => {
    const request = PaymentRequest.fromEncodedRequest(text);
    const proofs = await send(Number(request.amount), request.toP2PKOptions());
    return JSON.stringify({ id: request.id, mint: url, unit: 'sat', proofs: plain(proofs) });
  },
  request: async (amount) => {
    const lock = { kind: 'P2PK', data: publicKey(), tags: [] };
    return new PaymentRequest(
      [], 'a1b2', Number(amount), 'sat', [url], 'onions', true, lock,
    ).toEncodedCreqA();
  },
  restore: async () => {
    for (const id of wallet.keyChain.getAllKeysetIds()) {
      const found = await wallet.batchRestore(300, 100, 0, id);
      const groups = await wallet.groupProofsByState(found.proofs);
      state.proofs.push(...groups.unspent);
      state.counters[id] = (found.lastCounterWithSignature ?? -1) + 1;
    }
    return balance();
  },
};

const answer = (await commands[command](...args)) ?? null;
writeFileSync(file, JSON.stringify({ ...state, proofs: plain(state.proofs) }));
console.log(JSON.stringify(answer));
