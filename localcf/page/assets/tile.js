/** One instance: a tile that stays in its place while machines come and go in it. */
import { bind, openConsole } from './console.js';
import { age, bytes, seconds, STATES } from './format.js';

export function makeTile(press) {
  const tile = document.querySelector('#tile-template').content.firstElementChild.cloneNode(true);
  tile.querySelector('.kill').addEventListener('click', () => {
    const { guid } = tile.instance;
    if (guid === null || tile.killing === guid) return;
    tile.killing = guid;
    tickTile(tile);
    press('/ui/kill', { instance: guid }).catch(() => {
      tile.killing = undefined;
      tickTile(tile);
    });
  });
  tile.querySelector('.open').addEventListener('click', () => {
    const { guid, index, cell } = tile.instance;
    if (guid) openConsole(guid, `${tile.app.name} #${index}`, [guid, cell].filter(Boolean).join(' on '));
  });
  return tile;
}

/** Fills the tile; gives what is worth telling, or undefined. */
export function fillTile(tile, app, process, instance) {
  const before = tile.instance;
  Object.assign(tile, { app, process, instance });
  const name = `${app.name} ${process.type === 'web' ? '' : `${process.type} `}instance ${instance.index}`;
  const replaced = before?.guid && instance.guid && before.guid !== instance.guid;
  if (replaced) {
    tile.replaced = (tile.replaced ?? 0) + 1;
    // Restarts the animation that says: another machine is here now.
    tile.classList.remove('arrived');
    void tile.offsetWidth;
    tile.classList.add('arrived');
  }
  tile.dataset.state = instance.state;
  tile.setAttribute('aria-label', name);
  tile.querySelector('.index').textContent = `#${instance.index}`;
  tile.querySelector('.open').setAttribute('aria-label', `Console of ${name}`);
  tile.querySelector('.kill').setAttribute('aria-label', `Kill ${name}`);
  const log = tile.querySelector('.screen');
  bind(log, instance.guid);
  log.setAttribute('aria-label', `Last lines of ${name}`);
  fillMeter(tile.querySelector('.meter'), process, instance, name);
  tickTile(tile);
  if (before?.state === instance.state && !replaced) return undefined;
  const boot = instance.boot_ms === null ? '' : `, booted in ${seconds(instance.boot_ms)}`;
  return `${name}: ${STATES[instance.state]}${instance.state === 'RUNNING' ? boot : ''}`;
}

/** What changes with time alone. */
export function tickTile(tile) {
  const { instance, killing } = tile;
  const now = Date.now();
  const dying = killing !== undefined && killing === instance.guid && instance.state === 'RUNNING';
  tile.classList.toggle('dying', dying);
  tile.querySelector('.state').textContent = dying ? 'killing' : STATES[instance.state];
  const [big, small] = headline(instance, now);
  set(tile.querySelector('.boot b'), big);
  set(tile.querySelector('.boot span'), small);
  const kill = tile.querySelector('.kill');
  kill.setAttribute('aria-disabled', String(dying || instance.guid === null));
  tile.querySelector('.open').setAttribute('aria-disabled', String(instance.guid === null));
  const times = tile.replaced ? `replaced ${tile.replaced === 1 ? 'once' : `${tile.replaced} times`}` : '';
  const up = instance.state === 'RUNNING' ? `up ${age(now - instance.since)}` : '';
  set(tile.querySelector('.more'), [up, times].filter(Boolean).join(' · '));
}

function headline({ state, since, boot_ms, details }, now) {
  switch (state) {
    case 'RUNNING':
      return boot_ms === null ? ['', 'running'] : [seconds(boot_ms), 'to boot'];
    case 'STARTING':
      return [seconds(Math.max(0, now - since)), 'so far'];
    default:
      return ['', details ?? 'no machine is here'];
  }
}

function fillMeter(meter, process, { memory_bytes }, name) {
  const limit = process.memory_mb * 2 ** 20;
  const used = memory_bytes ?? 0;
  meter.setAttribute('aria-label', `Memory of ${name}`);
  meter.setAttribute('aria-valuemax', String(limit));
  meter.setAttribute('aria-valuenow', String(used));
  const text = memory_bytes === null ? `of ${bytes(limit)}` : `${bytes(used)} of ${bytes(limit)}`;
  meter.setAttribute('aria-valuetext', text);
  meter.querySelector('i').style.width = `${Math.min(100, (100 * used) / limit)}%`;
  set(meter.querySelector('p'), text);
}

/** Text that is there already is not written again: a selection in it would be lost. */
export function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
