// The dashboard of a SOC as Kibana's saved objects: a data view and one dashboard with its panels inside. Every field
// it names must be one that events have.
import {
  type Column,
  countOf,
  maximumOf,
  overTime,
  type Panel,
  panelOf,
  sumOf,
  topOf,
  uniqueOf,
} from './lens.ts';

export interface SavedObject {
  readonly type: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly references: readonly { readonly type: string; readonly id: string; readonly name: string }[];
  readonly coreMigrationVersion: string;
  readonly typeMigrationVersion: string;
}

const DATA_VIEW_ID = 'sallyport-events';
/** Columns of Kibana's grid. */
const WIDTH = 48;

interface Wanted {
  readonly title: string;
  readonly kind: Panel['kind'];
  /** KQL. */
  readonly query: string;
  readonly columns: readonly Column[];
  readonly width: number;
  readonly height: number;
}

function number(title: string, query: string, column: Column = countOf()): Wanted {
  return { title, kind: 'lnsMetric', query, columns: [column], width: 8, height: 6 };
}

function curve(title: string, query: string, ...columns: readonly Column[]): Wanted {
  return { title, kind: 'lnsXY', query, columns: [overTime(), ...columns], width: 24, height: 11 };
}

function table(title: string, query: string, ...columns: readonly Column[]): Wanted {
  return { title, kind: 'lnsDatatable', query, columns, width: 16, height: 11 };
}

/** What is looked at first stands first. */
const PANELS: readonly Wanted[] = [
  number('Allowed', 'event.action: access-allowed'),
  number('Denied', 'event.action: access-denied'),
  number('Failed sign-ins', 'event.action: login-failed'),
  number('Alerts', 'event.kind: alert'),
  number('Gateways heard', 'event.action: heartbeat', uniqueOf('sallyport.gateway.id')),
  number('Live connectors', 'event.action: heartbeat', maximumOf('sallyport.heartbeat.connectors')),
  curve('Decisions', 'event.action: (access-allowed or access-denied)', topOf('event.action', 2), countOf()),
  curve(
    'Seconds that sinks are behind',
    'event.action: heartbeat',
    topOf('sallyport.gateway.id'),
    maximumOf('sallyport.sinks.lag_seconds'),
  ),
  table('Why access was denied', 'event.action: access-denied', topOf('event.code'), countOf()),
  table(
    'Who was denied',
    'event.action: access-denied',
    topOf('user.email'),
    topOf('sallyport.app.id', 5),
    countOf(),
  ),
  table(
    'Apps that were denied',
    'event.action: access-denied',
    topOf('sallyport.app.id'),
    countOf(),
    uniqueOf('user.id'),
  ),
  table(
    'Failed sign-ins by address',
    'event.action: login-failed',
    topOf('source.ip'),
    topOf('event.code', 5),
    countOf(),
  ),
  table(
    'Countries of people',
    'user.id: *',
    topOf('source.geo.country_iso_code'),
    countOf(),
    uniqueOf('user.id'),
  ),
  table(
    'Malformed requests',
    'event.action: request-refused',
    topOf('event.code'),
    topOf('source.ip', 5),
    countOf(),
  ),
  table(
    'Changes',
    'event.dataset: "sallyport.audit"',
    topOf('event.action'),
    topOf('sallyport.actor.id', 5),
    maximumOf('@timestamp'),
  ),
  table(
    'Shadow rules that would have denied',
    'sallyport.decision.would_deny: *',
    topOf('sallyport.decision.would_deny'),
    countOf(),
    uniqueOf('user.id'),
  ),
  table(
    'Revocations',
    'event.action: session-revoked',
    topOf('user.email'),
    topOf('sallyport.actor.id', 5),
    maximumOf('sallyport.revocation.enforce_ms'),
  ),
  curve(
    'Bytes moved by app',
    'event.action: stream-closed',
    topOf('sallyport.app.id', 8),
    sumOf('network.bytes'),
  ),
  curve(
    'Tunnels that ended',
    'event.action: connector-disconnected',
    topOf('sallyport.connector.name', 8),
    countOf(),
  ),
  curve(
    'Bytes in the outbox',
    'event.action: heartbeat',
    topOf('sallyport.gateway.id', 8),
    maximumOf('sallyport.outbox.bytes'),
  ),
  curve(
    'Dead letters',
    'event.action: heartbeat',
    topOf('sallyport.gateway.id', 8),
    maximumOf('sallyport.sinks.dead_letters'),
  ),
];

/** The data view first: the dashboard refers to it. */
export function dashboardObjects(): SavedObject[] {
  return [dataView(), dashboard()];
}

function dataView(): SavedObject {
  return {
    type: 'index-pattern',
    id: DATA_VIEW_ID,
    attributes: { title: 'logs-sallyport.*', name: 'Sallyport', timeFieldName: '@timestamp' },
    references: [],
    coreMigrationVersion: '8.8.0',
    typeMigrationVersion: '8.0.0',
  };
}

function dashboard(): SavedObject {
  const panels = placed(PANELS).map(({ wanted, x, y }, index) => {
    const { title, kind, query, columns, width: w, height: h } = wanted;
    return panelOf({
      id: `panel-${index + 1}`,
      title,
      kind,
      query,
      columns,
      dataView: DATA_VIEW_ID,
      grid: { x, y, w, h },
    });
  });
  return {
    type: 'dashboard',
    id: 'sallyport-soc',
    attributes: {
      title: 'Sallyport: access',
      description: 'Who was let in, who was not and why, and whether every event arrives.',
      timeRestore: true,
      timeFrom: 'now-24h',
      timeTo: 'now',
      optionsJSON: JSON.stringify({ useMargins: true, hidePanelTitles: false }),
      panelsJSON: JSON.stringify(panels),
      kibanaSavedObjectMeta: {
        searchSourceJSON: JSON.stringify({ query: { query: '', language: 'kuery' }, filter: [] }),
      },
    },
    references: panels.flatMap(({ panelIndex, embeddableConfig }) =>
      embeddableConfig.attributes.references.map(({ type, id, name }) => ({
        type,
        id,
        name: `${panelIndex}:${name}`,
      })),
    ),
    coreMigrationVersion: '8.8.0',
    typeMigrationVersion: '8.9.0',
  };
}

/** Fills rows from the left; a row is as high as its panels, which are alike. */
function placed(panels: readonly Wanted[]): { wanted: Wanted; x: number; y: number }[] {
  let x = 0;
  let y = 0;
  let height = 0;
  return panels.map((wanted) => {
    if (x + wanted.width > WIDTH) {
      x = 0;
      y += height;
      height = 0;
    }
    const place = { wanted, x, y };
    x += wanted.width;
    height = Math.max(height, wanted.height);
    return place;
  });
}
