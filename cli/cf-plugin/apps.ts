import { appRow, concernsUnik, rowsText, type AppRow } from './app-row.js';
import { cellLines, logCacheOf } from './cell-lines.js';
import type { Screen } from './screen.js';
import type { Session } from './session.js';
import * as shapes from './shapes.js';

/** `cf unik-apps`. */
export async function listApps(options: { json: boolean }, session: Session, screen: Screen): Promise<void> {
  const { cloud, space } = session;
  if (!options.json) screen.doing('Getting apps that run as unikernels', session);
  const apps = await cloud.list('/v3/apps', shapes.app, {
    space_guids: space.guid,
    order_by: 'name',
    per_page: '5000',
  });
  const stacks = await cloud.stacks();
  const logCache = await logCacheOf(session);
  const rows: AppRow[] = [];
  for (const app of apps) {
    const droplet = await cloud.currentDroplet(app.guid);
    if (!concernsUnik(app, droplet)) continue;
    const found = await cloud.find(`/v3/apps/${app.guid}/processes/web/stats`, shapes.stats);
    const lines = logCache === undefined ? [] : await cellLines(app.guid, logCache, session);
    const variables = await cloud.variables(app.guid);
    rows.push(appRow({ app, droplet, stacks, instances: found?.resources ?? [], lines, variables }));
  }
  if (options.json) screen.table(JSON.stringify(rows, null, 2));
  else if (rows.length > 0) screen.table(rowsText(rows));
  else {
    screen.say('No app of this space runs as unikernels.');
    screen.tip("Use 'cf enable-unik APP_NAME' to run one as unikernels.");
  }
}
