/** Listens to what runs, draws it, and sends what the buttons mean. */
import { bind, keepOnly, take } from './console.js';
import { bytes, seconds } from './format.js';
import { fillTile, makeTile, set, tickTile } from './tile.js';

const token = document.querySelector('meta[name="unik-page"]').content;
const find = (id) => document.querySelector(id);
const [main, empty, news, link] = ['#apps', '#empty', '#news', '#link'].map(find);
const sections = new Map();

/** Sends what a button means. A refusal is told, and thrown. */
async function press(path, body) {
  try {
    const reply = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-unik-page': token },
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(reasonOf(await reply.text()));
  } catch (err) {
    tell([`That did not work: ${err.message}`]);
    throw err;
  }
}

function reasonOf(text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return text.trim();
  }
}

/** One message at a time, for those who listen. */
function tell(messages) {
  if (messages.length > 0) news.textContent = messages.join('. ');
}

function draw(state) {
  const messages = [];
  const alive = new Set();
  for (const app of state.apps) {
    alive.add(app.guid);
    const section = sections.get(app.guid) ?? newSection(app);
    fillSection(section, app, messages);
    for (const { list } of app.processes) for (const { guid } of list) if (guid) alive.add(guid);
  }
  for (const [guid, section] of sections) {
    if (alive.has(guid)) continue;
    leave(section, main);
    sections.delete(guid);
    messages.push(`${section.app.name} is gone`);
  }
  keepOnly(alive);
  empty.hidden = state.apps.length > 0;
  totals(state);
  tell(messages);
}

function newSection(app) {
  const section = find('#app-template').content.firstElementChild.cloneNode(true);
  section.setAttribute('aria-labelledby', `app-${app.guid}`);
  section.querySelector('.name').id = `app-${app.guid}`;
  section.processes = new Map();
  sections.set(app.guid, section);
  main.append(section);
  return section;
}

function fillSection(section, app, messages) {
  section.app = app;
  section.dataset.started = String(app.started);
  set(section.querySelector('.name'), app.name);
  urls(section.querySelector('.urls'), app);
  facts(section.querySelector('.facts'), app);
  const staging = section.querySelector('.staging');
  if (app.staging && staging.hidden) messages.push(`${app.name} is being staged`);
  staging.hidden = !app.staging;
  bind(staging.querySelector('.screen'), app.guid);
  const there = new Set();
  for (const one of app.processes) {
    // A process type that nobody asked for is not worth a row.
    if (one.type !== 'web' && one.instances === 0 && one.list.length === 0) continue;
    there.add(one.guid);
    const row = section.processes.get(one.guid) ?? newProcess(section, one);
    fillProcess(row, app, one, messages);
  }
  for (const [guid, row] of section.processes) {
    if (there.has(guid)) continue;
    row.remove();
    section.processes.delete(guid);
  }
}

function urls(place, app) {
  const wanted = app.urls.join(' ');
  if (place.dataset.urls === wanted) return;
  place.dataset.urls = wanted;
  place.replaceChildren(
    ...app.urls.map((url) => {
      const anchor = document.createElement('a');
      anchor.href = url;
      anchor.rel = 'noreferrer';
      anchor.target = '_blank';
      anchor.textContent = url.replace(/^https?:\/\//, '');
      return anchor;
    }),
  );
}

function facts(place, app) {
  const image = app.image && `image ${app.image.digest.replace('sha256:', '').slice(0, 12)}, ${bytes(app.image.bytes)}`;
  const where = app.guest && app.provider ? `${app.guest} on ${app.provider}` : (app.guest ?? app.provider);
  const wanted = [app.started ? '' : 'stopped', `stack ${app.stack}`, where, image, app.place].filter(Boolean);
  if (place.dataset.facts === wanted.join()) return;
  place.dataset.facts = wanted.join();
  place.replaceChildren(
    ...wanted.map((text) => {
      const item = document.createElement('li');
      item.textContent = text;
      return item;
    }),
  );
}

function newProcess(section, one) {
  const row = find('#process-template').content.firstElementChild.cloneNode(true);
  const step = (by) => () => {
    const { guid, instances } = row.process;
    const wanted = instances + by;
    if (wanted < 0) return;
    row.process = { ...row.process, instances: wanted };
    scaleText(row);
    press('/ui/scale', { process: guid, instances: wanted }).catch(() => {
      row.process = { ...row.process, instances };
      scaleText(row);
    });
  };
  row.querySelector('.fewer').addEventListener('click', step(-1));
  row.querySelector('.more').addEventListener('click', step(+1));
  row.tiles = new Map();
  section.processes.set(one.guid, row);
  section.querySelector('.processes').append(row);
  return row;
}

function scaleText(row) {
  set(row.querySelector('.wanted'), String(row.process.instances));
  row.querySelector('.fewer').setAttribute('aria-disabled', String(row.process.instances === 0));
}

function fillProcess(row, app, one, messages) {
  row.process = one;
  const name = one.type === 'web' ? app.name : `${app.name} ${one.type}`;
  row.querySelector('.scale').setAttribute('aria-label', `Instances of ${name}`);
  row.querySelector('.fewer').setAttribute('aria-label', `One instance fewer of ${name}`);
  row.querySelector('.more').setAttribute('aria-label', `One instance more of ${name}`);
  set(row.querySelector('.type'), one.type === 'web' ? 'instances' : `${one.type} instances`);
  scaleText(row);
  const list = row.querySelector('.tiles');
  // Of a stopped app, only machines that are still on their way out.
  const shown = app.started ? one.list : one.list.filter(({ guid }) => guid !== null);
  const there = new Set(shown.map(({ index }) => index));
  for (const instance of shown) {
    let tile = row.tiles.get(instance.index);
    if (!tile) {
      tile = makeTile(press);
      row.tiles.set(instance.index, tile);
      list.append(tile);
    }
    const message = fillTile(tile, app, one, instance);
    if (message) messages.push(message);
  }
  for (const [index, tile] of row.tiles) {
    if (there.has(index)) continue;
    leave(tile, list);
    row.tiles.delete(index);
  }
}

/** Fades out. Who was inside with the keyboard is put where the next thing is. */
function leave(element, place) {
  if (element.contains(document.activeElement)) {
    const heading = element.closest('.app')?.querySelector('.name');
    (heading && !element.contains(heading) ? heading : main).focus();
  }
  element.inert = true;
  element.classList.add('leaving');
  const gone = () => element.remove();
  const slow = matchMedia('(prefers-reduced-motion: no-preference)').matches;
  if (slow && place.isConnected) setTimeout(gone, 350);
  else gone();
}

function totals({ apps, cells }) {
  const all = apps.flatMap(({ processes }) => processes.flatMap(({ list }) => list));
  const running = all.filter(({ state }) => state === 'RUNNING');
  const boots = running.flatMap(({ boot_ms }) => boot_ms ?? []);
  const memory = running.reduce((sum, { memory_bytes }) => sum + (memory_bytes ?? 0), 0);
  set(find('#machines'), String(running.length));
  set(find('#app-count'), String(apps.length));
  set(find('#fastest'), boots.length === 0 ? '–' : seconds(Math.min(...boots)));
  set(find('#memory'), running.length === 0 ? '–' : bytes(memory));
  const words = cells.map(({ id, stacks, memory_mb: { total, available } }) => {
    const taken = bytes((total - available) * 2 ** 20);
    return `cell ${id}: ${stacks.join(', ')}, ${taken} of ${bytes(total * 2 ** 20)} taken`;
  });
  set(find('#cells'), words.length === 0 ? 'no cell is here' : words.join('   '));
}

function connect() {
  const events = new EventSource('/ui/events');
  const say = (state, text) => {
    link.dataset.link = state;
    set(link, text);
  };
  events.addEventListener('open', () => say('live', 'live'));
  events.addEventListener('state', ({ data }) => draw(JSON.parse(data)));
  events.addEventListener('lines', ({ data }) => take(JSON.parse(data)));
  events.addEventListener('error', () => {
    say('waiting', 'connection lost, trying again');
    // After a refusal a browser does not try again by itself.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2_000);
  });
}

connect();
setInterval(() => {
  for (const tile of document.querySelectorAll('.tile:not(.leaving)')) tickTile(tile);
}, 100);
