// One panel of a Kibana dashboard in the words of Lens, its editor. Field names are passed through and never made up.

/** One column of a panel's data, before it has an id. */
export interface Column {
  readonly label: string;
  readonly dataType: 'date' | 'string' | 'number';
  readonly operationType: string;
  readonly sourceField: string;
  readonly isBucketed: boolean;
  readonly scale: 'interval' | 'ordinal' | 'ratio';
  readonly params: Readonly<Record<string, unknown>>;
}

export interface Panel {
  readonly id: string;
  readonly title: string;
  readonly kind: 'lnsMetric' | 'lnsXY' | 'lnsDatatable';
  /** KQL. */
  readonly query: string;
  readonly columns: readonly Column[];
  readonly dataView: string;
  readonly grid: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

interface Reference {
  readonly type: 'index-pattern';
  readonly id: string;
  readonly name: string;
}

/** The panel as it stands in a dashboard's `panelsJSON`. */
export interface PlacedPanel {
  readonly type: 'lens';
  readonly panelIndex: string;
  readonly gridData: Readonly<Record<string, unknown>>;
  readonly title: string;
  readonly embeddableConfig: {
    readonly attributes: { readonly references: readonly Reference[] } & Readonly<Record<string, unknown>>;
    readonly enhancements: Readonly<Record<string, never>>;
  };
}

export function overTime(): Column {
  return {
    ...{ label: '@timestamp', dataType: 'date', operationType: 'date_histogram', sourceField: '@timestamp' },
    ...{ isBucketed: true, scale: 'interval', params: { interval: 'auto', includeEmptyRows: true } },
  };
}

/** The most frequent values of a field. */
export function topOf(field: string, size = 10): Column {
  return {
    ...{ label: field, dataType: 'string', operationType: 'terms', sourceField: field },
    ...{ isBucketed: true, scale: 'ordinal', params: { size } },
  };
}

export function countOf(): Column {
  return metric('count', '___records___', 'Events');
}

export function uniqueOf(field: string): Column {
  return metric('unique_count', field, `Different ${field}`);
}

export function maximumOf(field: string): Column {
  const column = metric('max', field, `Highest ${field}`);
  return field === '@timestamp' ? { ...column, label: 'Last', dataType: 'date' } : column;
}

export function sumOf(field: string): Column {
  return metric('sum', field, `Sum of ${field}`);
}

function metric(operationType: string, sourceField: string, label: string): Column {
  return {
    ...{ label, dataType: 'number', operationType, sourceField },
    ...{ isBucketed: false, scale: 'ratio', params: { emptyAsNull: true } },
  };
}

export function panelOf(panel: Panel): PlacedPanel {
  const { id, title, kind, query, dataView, grid } = panel;
  const layerId = `${id}-layer`;
  const ids = panel.columns.map((_, index) => `${id}-column-${index + 1}`);
  const columns = ordered(panel.columns, ids);
  return {
    type: 'lens',
    panelIndex: id,
    gridData: { ...grid, i: id },
    title,
    embeddableConfig: {
      attributes: {
        title,
        type: 'lens',
        visualizationType: kind,
        references: [
          { type: 'index-pattern', id: dataView, name: `indexpattern-datasource-layer-${layerId}` },
        ],
        state: {
          visualization: visualization(kind, layerId, panel.columns, ids),
          query: { query, language: 'kuery' },
          filters: [],
          datasourceStates: {
            formBased: { layers: { [layerId]: { columns, columnOrder: ids, incompleteColumns: {} } } },
          },
          internalReferences: [],
          adHocDataViews: {},
        },
      },
      enhancements: {},
    },
  };
}

/** Columns by id; the top values are those of the first number. */
function ordered(columns: readonly Column[], ids: readonly string[]): Record<string, unknown> {
  const first = ids[columns.findIndex(({ isBucketed }) => !isBucketed)];
  return Object.fromEntries(
    columns.map((column, index) => {
      if (column.operationType !== 'terms') return [ids[index], column];
      const orderBy = { type: 'column', columnId: first };
      const params = {
        ...column.params,
        orderBy,
        orderDirection: 'desc',
        otherBucket: false,
        missingBucket: false,
      };
      return [ids[index], { ...column, params: { ...params, parentFormat: { id: 'terms' } } }];
    }),
  );
}

function visualization(
  kind: Panel['kind'],
  layerId: string,
  columns: readonly Column[],
  ids: readonly string[],
): Readonly<Record<string, unknown>> {
  const where = (test: (column: Column) => boolean): string[] =>
    ids.filter((_, index) => columns[index] !== undefined && test(columns[index]));
  const numbers = where(({ isBucketed }) => !isBucketed);
  if (kind === 'lnsMetric') return { layerId, layerType: 'data', metricAccessor: numbers[0] };
  if (kind === 'lnsDatatable')
    return { layerId, layerType: 'data', columns: ids.map((columnId) => ({ columnId })) };
  const [time] = where(({ operationType }) => operationType === 'date_histogram');
  const [split] = where(({ operationType }) => operationType === 'terms');
  const layer = { layerId, layerType: 'data', seriesType: 'line', accessors: numbers, xAccessor: time };
  return {
    preferredSeriesType: 'line',
    legend: { isVisible: true, position: 'right' },
    valueLabels: 'hide',
    layers: [split === undefined ? layer : { ...layer, splitAccessor: split }],
  };
}
