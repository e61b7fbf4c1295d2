// A program as users write them with the generated client: its types are checked, and it prints what it was answered.
import { deleteOrder, getOrder, getOrderProgress, listOrders, lookUpOrders, updateOrder } from "./client";
import { client } from "./client/client.gen";
import type { Order, PlannedChange, SelectedOrder } from "./client";

declare const process: { argv: string[] };

async function main(): Promise<void> {
  client.setConfig({ baseUrl: process.argv[2] });
  const page = await listOrders({ query: { limit: 2, sort: "id", fields: "plate" } });
  const selected: (Order | SelectedOrder)[] = page.data?.orders ?? [];
  const order_id: number = selected[0]?.id ?? 0;

  const order = (await getOrder({ path: { order_id } })).data?.order;
  const plate: string | null | undefined = order?.vehicle_details.number_plate;

  const body = { order_id, shop_date: "08.12.2026", vehicle_details: { km_stand: "84310" } };
  const planned = await updateOrder({ path: { order_id }, query: { dry_run: true }, body });
  const changes: PlannedChange[] = planned.data && "changes" in planned.data ? planned.data.changes : [];

  const late = await deleteOrder({ path: { order_id }, headers: { "If-Match": '"99"' } });
  const now: Order | null | undefined = late.error && "order" in late.error ? late.error.order : null;

  const heard = await lookUpOrders({ query: { q: plate ?? "" }, headers: { "Accept-Language": "en" } });
  const progress = (await getOrderProgress({ path: { order_id } })).data?.progress;
  const promised: string | null | undefined = progress?.promised.date;

  const found = heard.data?.matches.some((match) => match.order_id === order_id);
  const answers = { order_id, plate, changes: changes.map((change) => change.field), now: now?.id, found };
  console.log(JSON.stringify({ ...answers, promised: promised !== undefined, members: Object.keys(selected[0] ?? {}) }));
}

void main();
